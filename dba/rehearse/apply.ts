import type pg from 'pg';
import { type Statement, splitStatements } from '../../lint/statements.ts';
import { ourSchema } from '../../postgres/ownObjects.ts';
import { newClient } from '../../postgres/withClient.ts';
import { hintOf } from '../migrations/hint.ts';
import { blindTables, changesBetween, countChanges } from './blindChanges.ts';
import { type Lock, type LockWatch, watchLocks } from './lockWatch.ts';

/** The effects of one statement of the migration. Times are values of `performance.now()`. */
export interface Ran {
  readonly statement: Statement;
  readonly began: number;
  readonly ended: number;
  /** Milliseconds spent waiting for locks. */
  readonly waited: number;
  /** Table locks that no earlier statement had taken. */
  readonly locks: readonly (Lock & { readonly taken: number; readonly released: number })[];
  /** Tables that Postgres rewrote. */
  readonly rewritten: readonly string[];
  /** Rows that the statement changed, including through functions and `do` blocks; null if it changes no rows. */
  readonly rows: number | null;
  /** Whether row-level security hid from the owner all rows that the statement should have changed or read. */
  readonly blind: boolean;
  /** The tables of these rows. */
  readonly blindTables: readonly string[];
}

export interface Applied {
  readonly file: string;
  readonly ran: readonly Ran[];
  readonly waiters: LockWatch['waiters'];
  /** The failed statement and the error message. */
  readonly failure: { readonly statement: Statement; readonly message: string } | undefined;
}

/**
 * Runs a compiled migration, statement by statement in one transaction. A migration with `--! no-transaction` runs as one
 * query without a transaction. graphile-migrate has the same effect, but sends the whole migration at once.
 *
 * @param settings the session settings of graphile-migrate.
 */
export async function apply(
  ownerUrl: string,
  file: string,
  sql: string,
  settings: Readonly<Record<string, string | number | boolean | null>>,
): Promise<Applied> {
  const client = newClient(ownerUrl, 'hedgerow rehearsal');
  await client.connect();
  let watch: LockWatch | undefined;
  const ran: (Omit<Ran, 'locks'> & { locks: Lock[] })[] = [];
  let failure: Applied['failure'];
  try {
    for (const [name, value] of Object.entries(settings)) {
      await client.query('select set_config($1, $2, false)', [name, value === null ? null : String(value)]);
    }
    const { rows } = await client.query('select pg_backend_pid() as pid');
    watch = await watchLocks(ownerUrl, rows[0].pid);
    const found = splitStatements(file, sql);
    const transaction = found.every(({ inTransaction }) => inTransaction);
    const whole = { ...found[0], sql, text: found.map(({ text }) => text).join('; ') } as Statement;
    const statements = transaction || found.length === 0 ? found : [whole];
    // As in `migrate`: `concurrently` waits for other transactions without blocking them, so it needs no lock_timeout.
    if (!transaction && /\bconcurrently\b/i.test(whole.text)) await client.query('set lock_timeout = 0');
    if (transaction) await client.query('begin');
    const seen = new Set<string>();
    for (const statement of statements) {
      const one = await runOne(client, watch, statement, seen);
      ran.push(one);
      if (one.message === undefined) continue;
      failure = { statement, message: one.message };
      break;
    }
    if (transaction) await client.query(failure ? 'rollback' : 'commit');
    const end = performance.now();
    const released = (lock: Lock) => (transaction ? end : lock.lastSeen);
    return {
      file,
      ran: ran.map((one) => ({
        ...one,
        locks: one.locks.map((lock) => ({
          ...lock,
          taken: Math.min(lock.firstSeen, one.ended),
          released: released(lock),
        })),
      })),
      waiters: watch.waiters,
      failure,
    };
  } finally {
    await watch?.stop();
    await client.end();
  }
}

async function runOne(client: pg.Client, watch: LockWatch, statement: Statement, seen: Set<string>) {
  const before = await files(client);
  const changesBefore = await countChanges(client);
  const waitedBefore = watch.waited;
  const began = performance.now();
  let rows: number | null = null;
  let message: string | undefined;
  try {
    const result = await client.query(statement.sql);
    rows = /^(INSERT|UPDATE|DELETE|MERGE)/.test(result.command ?? '') ? result.rowCount : null;
  } catch (error) {
    message = [(error as Error).message, hintOf(error)].filter(Boolean).join(' ');
  }
  const ended = performance.now();
  await watch.look();
  const locks = [...watch.locks].filter(([key]) => !seen.has(key));
  for (const [key] of locks) seen.add(key);
  const after = message === undefined ? await files(client) : before;
  const changed = message === undefined ? changesBetween(changesBefore, await countChanges(client)) : new Map();
  const written = locks.filter(([, { mode }]) => mode === 'ROW EXCLUSIVE').map(([, { table }]) => table);
  const { sql, inTransaction } = statement;
  const blind =
    message === undefined ? await blindTables(client, { sql, inTransaction, changed, locked: written }) : [];
  if (rows === null && changed.size > 0) rows = [...changed.values()].reduce((sum, count) => sum + count, 0);
  return {
    statement,
    began,
    ended,
    rows,
    blind: blind.length > 0,
    blindTables: blind,
    message,
    waited: watch.waited - waitedBefore,
    locks: locks.map(([, lock]) => lock),
    rewritten: [...before]
      .filter(([oid, { file }]) => file !== (after.get(oid)?.file ?? file))
      .map(([, { name }]) => name),
  };
}

/** Returns the tables and the files that store them. If the file changes, Postgres has rewritten the table. */
async function files(client: pg.Client): Promise<Map<number, { name: string; file: number }>> {
  const { rows } = await client.query<{ oid: number; name: string; file: number }>(
    `select c.oid::int8::int as oid, format('%I.%I', n.nspname, c.relname) as name, pg_relation_filenode(c.oid)::int8::int as file
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm') and ${ourSchema}`,
  );
  return new Map(rows.map(({ oid, name, file }) => [oid, { name, file }]));
}
