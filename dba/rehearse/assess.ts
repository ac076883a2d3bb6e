import type { Activity, Use } from './activity.ts';
import { useOf } from './activity.ts';
import { instead } from './advice.ts';
import type { Applied, Ran } from './apply.ts';
import { blocks, type Lock, type LockWatch } from './lockWatch.ts';
import type { Done } from './traffic.ts';

/** A lock of a statement, and what it did to others. Times are milliseconds. */
export interface AssessedLock {
  readonly table: string;
  readonly mode: string;
  readonly blocks: ReturnType<typeof blocks>;
  readonly held: number;
  /** The longest that a tenant's read and write took that waited for it. */
  readonly longestRead: number;
  readonly longestWrite: number;
  /** How the table is used where the migration is going to run; undefined where it is not there. */
  readonly use: Use | undefined;
  /** Whether tenants of a busy table would notice. */
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
  /** Those that make a difference: not the ones on a table of which it has a stronger one. */
  readonly locks: readonly AssessedLock[];
  readonly blind: Ran['blind'];
  readonly blindTables: Ran['blindTables'];
  /** What blocks less, where it blocks for too long. */
  readonly instead: string | undefined;
}

/** The tables' use before and after the rehearsal, in the database that the migration is meant for. */
export interface Uses {
  readonly before: ReadonlyMap<string, Activity>;
  readonly after: ReadonlyMap<string, Activity>;
  readonly seconds: number;
}

/** Puts together what a migration did and whom that kept waiting, statement by statement. */
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

/** Whether the migration has a stronger lock on the table already, so that this one makes no difference. */
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

/** A lock is held until the commit: what makes it long may be a statement behind the one that took it. */
function blame(one: Ran, ran: readonly Ran[], locks: readonly AssessedLock[]): string | undefined {
  if (!locks.some(({ tooLong }) => tooLong)) return undefined;
  const behind = ran.slice(ran.indexOf(one));
  const longest = behind.reduce((a, b) => (b.ended - b.began > a.ended - a.began ? b : a));
  const { text, line } = longest.statement;
  return longest === one ? instead(text) : `line ${line}, for which it is held: ${instead(text)}`;
}

/** The longest read and write that waited for each lock, by who was seen waiting. */
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
      // A statement that waits for a row waits for the transaction that changed it.
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
