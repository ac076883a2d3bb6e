import pg from 'pg';
import type { TestDatabase } from '../support/database.ts';
import { readWithFault, writeWithFault } from './faults.ts';
import { pick } from './random.ts';
import { newTitle, payload, type RequestInputs, type TestRequest } from './testRequest.ts';
import { writing } from './writes.ts';

/** Builds a request that is slow and succeeds. */
export function slow(inputs: RequestInputs): TestRequest {
  return pick(inputs.random, [readWithFault, writeWithFault])(inputs, 'sleep 0.45');
}

/** Builds a request whose statement exceeds statement_timeout. */
export function statementTimeout(inputs: RequestInputs): TestRequest {
  return pick(inputs.random, [readWithFault, writeWithFault])(inputs, 'sleep 5', ['TIMEOUT']);
}

/** Builds a request whose statements each finish in time, but together exceed the request's deadline. */
export function deadlinePassed(inputs: RequestInputs): TestRequest {
  const { random, tenant, newId } = inputs;
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
    const title = `${newTitle(inputs)}${field}`;
    const text = `${field}: makeTrouble(input: {kind: "sleep 0.4", rowId: "${rowId}", title: "${title}"}) { result }`;
    return { field, text, settle: tenant.expected.expectChange(rowId, title) };
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

/** Locks todos in a transaction that stays open until the client ends. */
export async function lockRows(db: TestDatabase, ids: readonly string[]): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.adminUrl });
  client.on('error', () => {});
  await client.connect();
  await client.query(`begin; set local deadlock_timeout = '5s'`);
  await client.query('select from app_public.todos where id = any ($1) for update', [ids]);
  return client;
}

/** Builds an update of a row that stays locked for longer than lock_timeout. */
export function lockTimeout(inputs: RequestInputs, db: TestDatabase): TestRequest | undefined {
  const row = inputs.tenant.expected.certainRows()[0];
  if (!row) return undefined;
  const title = newTitle(inputs);
  return {
    kind: 'lock timeout',
    payload: payload(writing.update, { rowId: row.rowId, patch: { title } }),
    codes: ['TIMEOUT'],
    settle: inputs.tenant.expected.expectChange(row.rowId, title),
    before: async () => {
      const client = await lockRows(db, [row.rowId]);
      return () => client.end();
    },
  };
}

/**
 * Builds a real deadlock: the test locks the second row and then the first; the tenant locks them in the opposite
 * order.
 */
export function deadlock(inputs: RequestInputs, db: TestDatabase): TestRequest | undefined {
  const [first, second] = inputs.tenant.expected.certainRows();
  if (!first || !second) return undefined;
  return {
    kind: 'deadlock',
    payload: payload('mutation ($a: UUID!, $b: UUID!) { touchBoth(input: {firstId: $a, secondId: $b}) { result } }', {
      a: first.rowId,
      b: second.rowId,
    }),
    // On a busy machine, lock_timeout may pass before Postgres detects the deadlock.
    codes: ['CONFLICT', 'TIMEOUT'],
    maySucceed: true,
    before: async () => {
      const client = await lockRows(db, [second.rowId]);
      const done = closeDeadlock(client, db, first.rowId).catch(() => {});
      return async () => {
        await done;
        await client.end();
      };
    },
  };
}

async function closeDeadlock(client: pg.Client, db: TestDatabase, rowId: string): Promise<void> {
  await waitUntilBlocking(client, db);
  await client.query('select from app_public.todos where id = $1 for update', [rowId]);
  await client.query('rollback');
}

/** Waits until another backend waits for a lock of `client`, for at most a second. */
export async function waitUntilBlocking(client: pg.Client, db: TestDatabase): Promise<void> {
  const { rows } = await client.query('select pg_backend_pid() as pid');
  const until = performance.now() + 1000;
  while (performance.now() < until) {
    const waiting = await db.asAdmin('select from pg_stat_activity where $1 = any (pg_blocking_pids(pid))', [
      rows[0].pid,
    ]);
    if (waiting.length > 0) break;
  }
}
