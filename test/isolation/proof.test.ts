import type { Attempt } from '../../isolation/attempt.ts';
import { groupLeaks } from '../../isolation/proof.ts';

const leak = (table: string, operation: Attempt['operation'], evidence: string): Attempt => ({
  table,
  attack: `${operation} of ${table}`,
  operation,
  path: 'sql',
  statement: '',
  answer: '',
  outcome: 'leaked',
  evidence,
});

const saw = 'B saw what belongs to A: a row.';
const wrote = 'B wrote to what belongs to A: a row is gone.';
const canTell = 'B can tell that A has this row.';

test('a leak of data comes first, and existence that the same table reveals anyway is not reported again', () => {
  const leaks = [
    leak('notes', 'insert', canTell),
    leak('lists', 'update', canTell),
    leak('notes', 'delete', wrote),
    leak('notes', 'update', canTell),
    leak('notes', 'select', saw),
  ];
  const groups = groupLeaks(leaks).map((group) => group.map(({ table, operation }) => `${operation} ${table}`));
  expect(groups).toEqual([['select notes', 'insert notes', 'update notes'], ['delete notes'], ['update lists']]);
});
