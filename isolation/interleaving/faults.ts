import { setTimeout as sleep } from 'node:timers/promises';
import type { Relation } from '../catalog.ts';
import { type Admin, cancelBackend, killBackends } from './backends.ts';

/** Faults that can occur while the server answers a request. */
export const faults = [
  'slow statement',
  'failed commit',
  'backend killed',
  'statement cancelled',
  'socket aborted',
] as const;
export type Fault = (typeof faults)[number];

/** The duration of a slow statement, in milliseconds. It exceeds `statementTimeout`, so Postgres cancels the statement. */
const slowStatement = 500;
const statementTimeout = 300;

/**
 * Prepares a scratch database for faults. It adds triggers to each table that sleep, or make the commit fail, while the
 * fault has a row in `isolation_faults.due`. It also sets a statement_timeout that is shorter than the sleep. Finally it
 * terminates the server's backends, because only new connections receive that setting.
 */
export async function prepareFaults(db: Admin, tables: readonly Relation[]): Promise<void> {
  await db.asAdmin(`create schema isolation_faults;
    create table isolation_faults.due (fault text not null, id bigint generated always as identity);
    create function isolation_faults.strike() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      if tg_argv[0] = 'slow statement' then
        -- during() deletes the row. A delete here would be rolled back with the cancelled statement.
        if exists (select from isolation_faults.due where fault = tg_argv[0]) then perform pg_catalog.pg_sleep(${slowStatement / 1000}); end if;
      elsif exists (select from isolation_faults.due where fault = tg_argv[0]) then
        raise exception 'the commit fails' using errcode = '40001';
      end if;
      return null;
    end $$;
    ${tables.map(triggers).join('')}`);
  const [{ name } = { name: '' }] = await db.asAdmin<{ name: string }>('select current_database() as name');
  await db.asAdmin(
    `alter role hedgerow_authenticator in database "${name}" set statement_timeout = '${statementTimeout}ms'`,
  );
  await killBackends(db);
}

const triggers = ({ sql, kind }: Relation) =>
  kind !== 'table'
    ? ''
    : `create trigger isolation_slow after insert or update or delete on ${sql}
        for each statement execute function isolation_faults.strike('slow statement');
      create constraint trigger isolation_commit after insert or update or delete on ${sql}
        deferrable initially deferred for each row execute function isolation_faults.strike('failed commit');`;

/**
 * Causes a fault while `work` runs. A slow statement and a failed commit affect all requests that write during this time.
 * A killed backend or a cancelled statement may belong to the request of another tenant.
 */
export async function during<Result>(
  db: Admin,
  fault: Fault | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  if (fault === 'slow statement' || fault === 'failed commit') {
    const [due] = await db.asAdmin<{ id: string }>(
      'insert into isolation_faults.due (fault) values ($1) returning id',
      [fault],
    );
    try {
      return await work();
    } finally {
      await db.asAdmin('delete from isolation_faults.due where id = $1', [due?.id]);
    }
  }
  const running = work();
  if (fault === 'backend killed' || fault === 'statement cancelled') {
    await sleep(Math.random() * 6);
    await (fault === 'backend killed' ? killBackends(db, 1) : cancelBackend(db));
  }
  return running;
}
