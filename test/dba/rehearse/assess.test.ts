import type { Applied, Ran } from '../../../dba/rehearse/apply.ts';
import { assess } from '../../../dba/rehearse/assess.ts';

const busy = new Map([['app_public.todos', { rows: 10_000, bytes: 1, reads: 0, writes: 0 }]]);

/** A migration of two statements; the first takes a lock that is held until the second one's end. */
function migration(first: number, second: number): Applied {
  const ran = (line: number, text: string, began: number, ended: number, locks: Ran['locks']): Ran => ({
    statement: { file: 'current.sql', line, text, sql: text, object: text, inTransaction: true },
    ...{ began, ended, waited: 0, locks, rewritten: [], rows: null, blind: false, blindTables: [] },
  });
  const end = first + second;
  const lock = { table: 'app_public.todos', mode: 'ACCESS EXCLUSIVE', firstSeen: 0, lastSeen: end };
  return {
    file: 'current.sql',
    ran: [
      ran(1, 'alter table app_public.todos add column place uuid', 0, first, [{ ...lock, taken: 0, released: end }]),
      ran(3, 'create index todos_title_idx on app_public.todos (title)', first, end, []),
    ],
    waiters: [],
    failure: undefined,
  };
}

const adviceFor = (first: number, second: number) =>
  assess(migration(first, second), [], { before: busy, after: busy, seconds: 1 }, 100)[0]?.instead;

describe('a lock on a busy table that is held for too long', () => {
  test('is attributed to the longest later statement', () => {
    expect(adviceFor(20, 500)).toMatch(/^for line 3, which prolongs the lock: `create index concurrently/);
  });
  test('is attributed to its own statement if that is the longest', () => {
    expect(adviceFor(500, 20)).not.toMatch(/^for line/);
  });
  test('gets no advice if it is short', () => {
    expect(adviceFor(20, 20)).toBeUndefined();
  });
});
