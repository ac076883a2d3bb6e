import type pg from 'pg';
import type { Plan } from './plan.ts';

/*
 * The progress of a backfill is a row of app_private.backfills. The table exists only while there are unfinished
 * backfills, so that `status` can report them.
 *
 * absent -> (beginState, in the first batch) running -> (writeState, once per batch) running -> (endState) absent
 *
 * Each batch writes the row in its own transaction. A killed run therefore continues after its last committed batch.
 */

/** The progress of a backfill. */
export interface State {
  /** The key of the last row that was read, as text; null before the first batch. */
  readonly lastKey: readonly string[] | null;
  /** Rows read, including rows that WHERE excludes. */
  readonly seen: number;
  readonly changed: number;
}

/** Finds or creates the record of a backfill, and locks it until the transaction ends. */
export async function beginState(client: pg.Client, { id, table, set, where }: Plan): Promise<State> {
  await client.query(`create table if not exists app_private.backfills (
    id text primary key,
    "table" text not null,
    set text not null,
    "where" text,
    last_key text[],
    seen bigint not null default 0,
    changed bigint not null default 0,
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`);
  await client.query(
    'insert into app_private.backfills (id, "table", set, "where") values ($1, $2, $3, $4) on conflict do nothing',
    [id, table, set, where],
  );
  return (await readState(client, id)) as State;
}

/** The progress of an earlier, stopped run; zero progress if there is none. */
export async function findState(client: pg.Client, { id }: Plan): Promise<State> {
  const { rows } = await client.query("select to_regclass('app_private.backfills') is not null as present");
  const state = rows[0].present ? await readState(client, id) : undefined;
  return state ?? { lastKey: null, seen: 0, changed: 0 };
}

/** Reads a record and locks it until the transaction ends. */
async function readState(client: pg.Client, id: string): Promise<State | undefined> {
  const { rows } = await client.query<State>(
    `select last_key as "lastKey", seen::float8 as seen, changed::float8 as changed
     from app_private.backfills where id = $1 for update`,
    [id],
  );
  return rows[0];
}

/** Records the progress of a backfill. */
export async function writeState(client: pg.Client, id: string, { lastKey, seen, changed }: State): Promise<void> {
  await client.query(
    'update app_private.backfills set last_key = $2, seen = $3, changed = $4, updated_at = now() where id = $1',
    [id, lastKey, seen, changed],
  );
}

/** Removes the record of a finished backfill, and the table with the last record. */
export async function endState(client: pg.Client, id: string): Promise<void> {
  await client.query('delete from app_private.backfills where id = $1', [id]);
  const { rows } = await client.query('select exists (select from app_private.backfills) as others');
  if (!rows[0].others) await client.query('drop table app_private.backfills');
}
