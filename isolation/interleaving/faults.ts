import { setTimeout as sleep } from 'node:timers/promises';
import type { Relation } from '../catalog.ts';
import { type Admin, cancelBackend, killBackends } from './backends.ts';

/** What may happen to a request while it is answered. */
export const faults = [
  'slow statement',
  'failed commit',
  'backend killed',
  'statement cancelled',
  'socket aborted',
] as const;
export type Fault = (typeof faults)[number];

/** Milliseconds: what a slow statement takes, and what one may take. */
const slow = 500;
const limit = 300;

/**
 * Prepares a scratch database for faults: triggers that sleep, or fail where a transaction commits, as often as they are
 * told; and a statement_timeout that a sleep is beyond.
 */
export async function prepareFaults(db: Admin, tables: readonly Relation[]): Promise<void> {
  await db.asAdmin(`create schema isolation_faults;
    create table isolation_faults.due (fault text not null, id bigint generated always as identity);
    create function isolation_faults.strike() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      if tg_argv[0] = 'slow statement' then
        -- The row stays away if the statement is cancelled: each fault is due once.
        if exists (select from isolation_faults.due where fault = tg_argv[0]) then perform pg_catalog.pg_sleep(${slow / 1000}); end if;
      elsif exists (select from isolation_faults.due where fault = tg_argv[0]) then
        raise exception 'the commit fails' using errcode = '40001';
      end if;
      return null;
    end $$;
    ${tables.map(triggers).join('')}`);
  const [{ name } = { name: '' }] = await db.asAdmin<{ name: string }>('select current_database() as name');
  await db.asAdmin(`alter role hedgerow_authenticator in database "${name}" set statement_timeout = '${limit}ms'`);
  await killBackends(db);
}

const triggers = ({ sql, kind }: Relation) =>
  kind !== 'table'
    ? ''
    : `create trigger isolation_slow after insert or update or delete on ${sql}
        for each statement execute function isolation_faults.strike('slow statement');
      create constraint trigger isolation_commit after insert or update or delete on ${sql}
        deferrable initially deferred for each row execute function isolation_faults.strike('failed commit');`;

/** Lets a fault happen while `work` is under way. */
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
