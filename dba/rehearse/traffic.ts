import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { newClient } from '../../postgres/withClient.ts';
import type { Operation } from './operations.ts';

/** Something that a tenant did; times are performance.now()'s. */
export interface Done extends Operation {
  readonly pid: number;
  readonly began: number;
  readonly ended: number;
  /** What Postgres said, where it failed. */
  readonly error: string | undefined;
  readonly rows: number;
}

export interface Traffic {
  readonly done: readonly Done[];
  stop(): Promise<void>;
}

/** Another tenant's key, or the same row a second time: not the migration's doing. */
const usual = ['23505', '23P01'];

/**
 * Does `operations` at random, as tenants at random, on `workers` connections, until it is stopped. Each is a
 * transaction that is rolled back.
 *
 * @param urls connections that may become hedgerow_tenant; the first that works is used.
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
    // Every other one only reads and the rest only write: all of them could wait with a write, and no read be seen.
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

/** Does each operation until it has met a row, or every tenant has tried: what a server is going to meet. */
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
    if (!usual.includes(code)) error = message;
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
    `Nobody can act as a tenant on the branch (${reasons.join('; ')}): set DATABASE_URL to hedgerow_authenticator, or say --traffic 0.`,
  );
}

function pick<Item>(items: readonly Item[]): Item | undefined {
  return items[Math.floor(Math.random() * items.length)];
}

/** Up to 50 tenants of the database; made-up ones where it has none: tables lock as well without rows. */
export async function someTenants(owner: pg.Client): Promise<string[]> {
  await owner.query('begin');
  try {
    // On a branch, and rolled back: the owner does not see tenants otherwise.
    await owner.query('alter table app_public.users no force row level security');
    const { rows } = await owner.query<{ id: string }>('select id::text from app_public.users limit 50');
    return rows.length > 0 ? rows.map(({ id }) => id) : Array.from({ length: 10 }, () => crypto.randomUUID());
  } finally {
    await owner.query('rollback');
  }
}
