import pg from 'pg';
import type { TestDatabase } from '../support/database.ts';
import { readTrouble, writeTrouble } from './faults.ts';
import { pick } from './random.ts';
import { type Maker, newTitle, payload, type Work } from './work.ts';
import { writing } from './writes.ts';

/** Takes its time, and works. */
export function slow(maker: Maker): Work {
  return pick(maker.random, [readTrouble, writeTrouble])(maker, 'sleep 0.45');
}

/** Longer than statement_timeout. */
export function statementTimeout(maker: Maker): Work {
  return pick(maker.random, [readTrouble, writeTrouble])(maker, 'sleep 5', ['TIMEOUT']);
}

/** Each statement is short enough, but not all of them: past the request's deadline. */
export function deadlinePassed(maker: Maker): Work {
  const { random, tenant, newId } = maker;
  if (random() < 0.5) {
    return {
      kind: 'deadline: reads',
      payload: payload(
        '{ a: trouble(kind: "sleep 0.4") b: trouble(kind: "sleep 0.41") c: trouble(kind: "sleep 0.42") }',
      ),
      codes: ['TIMEOUT'],
    };
  }
  const fields = ['a', 'b', 'c'].map((field) => {
    const rowId = newId();
    const title = `${newTitle(maker)}${field}`;
    const text = `${field}: makeTrouble(input: {kind: "sleep 0.4", rowId: "${rowId}", title: "${title}"}) { result }`;
    return { field, text, settle: tenant.ledger.asking(rowId, title) };
  });
  return {
    kind: 'deadline: writes',
    payload: payload(`mutation { ${fields.map(({ text }) => text).join(' ')} }`),
    codes: ['TIMEOUT'],
    settle: (outcome, answer) => {
      for (const { field, settle } of fields)
        settle(answer?.body?.data?.[field] ? 'done' : outcome === 'not done' ? outcome : 'unknown');
    },
  };
}

export async function locking(db: TestDatabase, ids: readonly string[]): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.adminUrl });
  client.on('error', () => {});
  await client.connect();
  await client.query(`begin; set local deadlock_timeout = '5s'`);
  await client.query('select from app_public.todos where id = any ($1) for update', [ids]);
  return client;
}

/** The row is locked by somebody for longer than lock_timeout. */
export function lockTimeout(maker: Maker, db: TestDatabase): Work | undefined {
  const row = maker.tenant.ledger.certain()[0];
  if (!row) return undefined;
  const title = newTitle(maker);
  return {
    kind: 'lock timeout',
    payload: payload(writing.update, { rowId: row.rowId, patch: { title } }),
    codes: ['TIMEOUT'],
    settle: maker.tenant.ledger.asking(row.rowId, title),
    before: async () => {
      const client = await locking(db, [row.rowId]);
      return () => client.end();
    },
  };
}

/** A real deadlock: we hold the second row and ask for the first, which the tenant holds while it asks for the second. */
export function deadlock(maker: Maker, db: TestDatabase): Work | undefined {
  const [first, second] = maker.tenant.ledger.certain();
  if (!first || !second) return undefined;
  return {
    kind: 'deadlock',
    payload: payload('mutation ($a: UUID!, $b: UUID!) { touchBoth(input: {firstId: $a, secondId: $b}) { result } }', {
      a: first.rowId,
      b: second.rowId,
    }),
    // On a machine that is busy with something else the lock is given up before the deadlock is seen.
    codes: ['CONFLICT', 'TIMEOUT'],
    mayWork: true,
    before: async () => {
      const client = await locking(db, [second.rowId]);
      const done = meet(client, db, first.rowId).catch(() => {});
      return async () => {
        await done;
        await client.end();
      };
    },
  };
}

async function meet(client: pg.Client, db: TestDatabase, rowId: string): Promise<void> {
  await waitedFor(client, db);
  await client.query('select from app_public.todos where id = $1 for update', [rowId]);
  await client.query('rollback');
}

/** Waits until somebody waits for `client`, for a second at the most. */
export async function waitedFor(client: pg.Client, db: TestDatabase): Promise<void> {
  const { rows } = await client.query('select pg_backend_pid() as pid');
  const until = performance.now() + 1000;
  while (performance.now() < until) {
    const waiting = await db.asAdmin('select from pg_stat_activity where $1 = any (pg_blocking_pids(pid))', [
      rows[0].pid,
    ]);
    if (waiting.length > 0) break;
  }
}
