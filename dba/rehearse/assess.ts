import type { Activity, Use } from './activity.ts';
import { useOf } from './activity.ts';
import { instead } from './advice.ts';
import type { Applied, Ran } from './apply.ts';
import { blocks, type Lock, type LockWatch } from './lockWatch.ts';
import type { Done } from './traffic.ts';

/** A lock of a statement and its effect on tenants. Durations are in milliseconds. */
export interface AssessedLock {
  readonly table: string;
  readonly mode: string;
  readonly blocks: ReturnType<typeof blocks>;
  readonly held: number;
  /** The duration of the longest tenant read and write that waited for the lock. */
  readonly longestRead: number;
  readonly longestWrite: number;
  /** The use of the table in the target database; undefined if the table does not exist there. */
  readonly use: Use | undefined;
  /** Whether the table is busy and the lock blocks tenants for longer than allowed. */
  readonly tooLong: boolean;
}

export interface AssessedStatement {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly milliseconds: number;
  readonly waited: number;
  readonly rows: number | null;
  readonly rewritten: readonly string[];
  /** The locks of the statement, except those that a stronger lock on the same table covers. */
  readonly locks: readonly AssessedLock[];
  readonly blind: Ran['blind'];
  readonly blindTables: Ran['blindTables'];
  /** An alternative that blocks less, if a lock is held for too long. */
  readonly instead: string | undefined;
}

/** The activity of the tables in the target database, before and after the rehearsal. */
export interface Uses {
  readonly before: ReadonlyMap<string, Activity>;
  readonly after: ReadonlyMap<string, Activity>;
  readonly seconds: number;
}

/**
 * Combines the effects of each statement with the delays of the tenants that waited for its locks.
 *
 * @param done the reads and writes of tenants during the rehearsal.
 * @param maxBlock the longest acceptable delay on a busy table, in milliseconds.
 */
export function assess(
  { ran, waiters }: Applied,
  done: readonly Done[],
  { before, after, seconds }: Uses,
  maxBlock: number,
): AssessedStatement[] {
  const locks = ran.flatMap((one) => one.locks);
  const pauses = pausesOf(locks, waiters, done);
  return ran.map((one) => {
    const assessed = one.locks
      .filter((lock) => !isCovered(lock, locks))
      .map((lock) => {
        const { read: longestRead = 0, write: longestWrite = 0 } = pauses.get(lock) ?? {};
        const held = lock.released - lock.taken;
        const use = useOf(before.get(lock.table), after.get(lock.table), seconds);
        const blocking = blocks(lock.mode) !== 'nothing' && held > maxBlock;
        const tooLong = (blocking || Math.max(longestRead, longestWrite) > maxBlock) && use?.busy === true;
        const { table, mode } = lock;
        return { table, mode, blocks: blocks(mode), held, longestRead, longestWrite, use, tooLong };
      });
    return { ...summary(one), locks: assessed, instead: blame(one, ran, assessed) };
  });
}

/** Whether the migration already holds a stronger lock on the table, so that this lock has no effect. */
function isCovered(lock: Lock, locks: readonly Lock[]): boolean {
  return locks.some(
    (other) =>
      other.table === lock.table &&
      strength[blocks(other.mode)] > strength[blocks(lock.mode)] &&
      other.firstSeen <= lock.firstSeen,
  );
}

const strength = { nothing: 0, writes: 1, 'reads and writes': 2 };

function summary({ statement, began, ended, waited, rows, blind, blindTables, rewritten }: Ran) {
  const { file, line, text } = statement;
  return { file, line, text, milliseconds: ended - began, waited, rows, blind, blindTables, rewritten };
}

/**
 * Suggests an alternative for the statement that makes a lock long. A lock is held until the commit, so this may be a
 * later statement than the one that took the lock.
 */
function blame(one: Ran, ran: readonly Ran[], locks: readonly AssessedLock[]): string | undefined {
  if (!locks.some(({ tooLong }) => tooLong)) return undefined;
  const behind = ran.slice(ran.indexOf(one));
  const longest = behind.reduce((a, b) => (b.ended - b.began > a.ended - a.began ? b : a));
  const { text, line } = longest.statement;
  return longest === one ? instead(text) : `for line ${line}, which prolongs the lock: ${instead(text)}`;
}

/** Finds the longest read and write that waited for each lock, from the observed waiters. */
function pausesOf<Held extends Lock>(
  locks: readonly Held[],
  waiters: LockWatch['waiters'],
  done: readonly Done[],
): Map<Held, { read?: number; write?: number }> {
  const pauses = new Map<Held, { read?: number; write?: number }>();
  for (const { pid, began, ended, table, kind } of done) {
    const waiter = waiters.find((one) => one.pid === pid && one.at >= began && one.at <= ended);
    if (!waiter) continue;
    const lock = locks.find((one) =>
      // A waiter without a table waits for a row that the migration has changed.
      waiter.table === undefined
        ? one.table === table && one.mode === 'ROW EXCLUSIVE'
        : one.table === waiter.table &&
          (blocks(one.mode) === 'reads and writes' || (kind === 'write' && blocks(one.mode) === 'writes')),
    );
    if (!lock) continue;
    const pause = pauses.get(lock) ?? {};
    pause[kind] = Math.max(pause[kind] ?? 0, ended - began);
    pauses.set(lock, pause);
  }
  return pauses;
}
