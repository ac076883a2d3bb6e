import { setTimeout as sleep } from 'node:timers/promises';
import { withClient } from '../../postgres/withClient.ts';
import type { TestDatabase } from './database.ts';

/** A concurrent transaction of the superuser: its first statement, and its last. Both use the same values. */
export interface Holder {
  readonly statement: string;
  readonly values?: readonly unknown[];
  readonly last?: string;
}

/**
 * Runs `work` during another transaction. It commits when `waiting` backends wait for locks, or when `work` is done.
 */
export function whileHeld<T>(
  db: TestDatabase,
  { statement, values = [], last }: Holder,
  waiting: number,
  work: () => PromiseLike<T>,
): Promise<T> {
  const blocked = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  return withClient(db.adminUrl, async (holder) => {
    await holder.query('begin');
    await holder.query(statement, [...values]);
    let settled = false;
    const done = Promise.resolve(work()).finally(() => {
      settled = true;
    });
    while (!settled && (await db.asAdmin(blocked)).length < waiting) await sleep(10);
    if (last) await holder.query(last, [...values]);
    await holder.query('commit');
    return done;
  });
}
