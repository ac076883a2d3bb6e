import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { newClient } from '../../postgres/withClient.ts';
import type { Operation } from './operations.ts';

/** A completed operation of a tenant. Times are values of `performance.now()`. */
export interface Done extends Operation {
  readonly pid: number;
  readonly began: number;
  readonly ended: number;
  /** The error message, if the operation failed. */
  readonly error: string | undefined;
  readonly rows: number;
}

export interface Traffic {
  readonly done: readonly Done[];
  stop(): Promise<void>;
}

/** Unique and exclusion violations: another tenant has the key, or the row exists. The migration does not cause them. */
const expectedErrors = ['23505', '23P01'];

/**
 * Runs random operations as random tenants, until stopped. Each operation is a transaction that is rolled back.
 *
 * @param urls connection strings of roles that may become hedgerow_tenant. The first that works is used.
 * @param workers the number of connections.
 * @throws UsageError if no connection can become hedgerow_tenant.
 */
export async function startTraffic(
  urls: readonly string[],
  operations: readonly Operation[],
  tenants: readonly string[],
  workers: number,
): Promise<Traffic> {
  const done: Done[] = [];
  const clients = await Promise.all(Array.from({ length: workers }, () => connect(urls)));
  let running = true;
  const work = async (client: pg.Client, index: number) => {
    // Half of the workers only read and half only write. Otherwise all could be blocked in writes, and no read measured.
    const mine = workers === 1 ? operations : operations.filter(({ kind }) => kind === (index % 2 ? 'write' : 'read'));
    while (running) {
      const operation = pick(mine);
      if (operation) done.push(await perform(client, operation, pick(tenants) ?? ''));
      await sleep(5);
    }
  };
  const working = clients.map(work);
  for (const worker of working) worker.catch(() => {});
  return {
    done,
    stop: async () => {
      running = false;
      try {
        await Promise.all(working);
      } finally {
        await Promise.all(clients.map((client) => client.end().catch(() => {})));
      }
    },
  };
}

/** Runs each operation as one tenant after another, until it affects a row. Predicts the errors of a running server. */
export async function probe(
  urls: readonly string[],
  operations: readonly Operation[],
  tenants: readonly string[],
): Promise<Done[]> {
  if (operations.length === 0) return [];
  const client = await connect(urls);
  try {
    const done: Done[] = [];
    for (const operation of operations) {
      for (const tenant of tenants) {
        const one = await perform(client, operation, tenant);
        done.push(one);
        if (one.error !== undefined || one.rows > 0) break;
      }
    }
    return done;
  } finally {
    await client.end();
  }
}

async function perform(client: pg.Client, operation: Operation, tenant: string): Promise<Done> {
  const began = performance.now();
  let pid = 0;
  let error: string | undefined;
  let count = 0;
  try {
    await client.query('begin');
    const { rows } = await client.query(
      `select set_config('app.current_user_id', $1, true), set_config('role', 'hedgerow_tenant', true), pg_backend_pid() as pid`,
      [tenant],
    );
    pid = rows[0].pid;
    count = (await client.query(operation.text)).rowCount ?? 0;
  } catch (failure) {
    const { code = '', message } = failure as { code?: string; message: string };
    if (!expectedErrors.includes(code)) error = message;
  }
  const ended = performance.now();
  await client.query('rollback');
  return { ...operation, pid, began, ended, error, rows: count };
}

async function connect(urls: readonly string[]): Promise<pg.Client> {
  const reasons: string[] = [];
  for (const connectionString of urls) {
    const client = newClient(connectionString, 'hedgerow rehearsal');
    try {
      await client.connect();
      await client.query('begin; set local role hedgerow_tenant; rollback');
      return client;
    } catch (error) {
      reasons.push((error as Error).message);
      await client.end().catch(() => {});
    }
  }
  throw new UsageError(
    `No connection to the branch can become hedgerow_tenant (${reasons.join('; ')}). Set DATABASE_URL to a connection of hedgerow_authenticator, or add --traffic 0.`,
  );
}

function pick<Item>(items: readonly Item[]): Item | undefined {
  return items[Math.floor(Math.random() * items.length)];
}

/** Returns up to 50 tenant ids. If there are none, returns random ids, because locks do not depend on rows. */
export async function someTenants(owner: pg.Client): Promise<string[]> {
  await owner.query('begin');
  try {
    // The owner does not see users otherwise. This is a branch, and the transaction is rolled back.
    await owner.query('alter table app_public.users no force row level security');
    const { rows } = await owner.query<{ id: string }>('select id::text from app_public.users limit 50');
    return rows.length > 0 ? rows.map(({ id }) => id) : Array.from({ length: 10 }, () => crypto.randomUUID());
  } finally {
    await owner.query('rollback');
  }
}
