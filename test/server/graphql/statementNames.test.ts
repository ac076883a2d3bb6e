import { StatementNames } from '../../../server/graphql/statementNames.ts';

test('a text has a name from its second use on', () => {
  const names = new StatementNames();
  expect(names.nameOf('select 1')).toBe('');
  expect(names.nameOf('select 1')).toMatch(/^[0-9a-f]{40}$/);
  expect(names.nameOf('select 2')).toBe('');
});

test('a text that is in use keeps its name while many new ones come', () => {
  const names = new StatementNames({ characters: 1000, longest: 100 });
  names.nameOf('select 1');
  for (let n = 0; n < 1000; n++) {
    expect(names.nameOf(`select 'other ${n}'`)).toBe('');
    expect(names.nameOf('select 1')).not.toBe('');
  }
  expect(names.nameOf("select 'other 0'")).toBe('');
});

test('a long text has no name', () => {
  const names = new StatementNames({ characters: 1000, longest: 10 });
  names.nameOf('select 1, 2, 3');
  expect(names.nameOf('select 1, 2, 3')).toBe('');
});
