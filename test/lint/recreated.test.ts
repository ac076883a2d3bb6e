import { isOfNewTable, isRecreated } from '../../lint/recreated.ts';
import { type Statement, splitStatements } from '../../lint/statements.ts';

/** Whether the first statement of a migration only drops what the others make. */
function again(sql: string, committed = ''): boolean {
  const [first, ...later] = splitStatements('current.sql', sql);
  return isRecreated(first as Statement, later, splitStatements('migrations/committed/000001.sql', committed));
}

const table = 'create table app_public.a (id uuid, b int);';
const index = 'create unique index a_b_idx on app_public.a (b);';

test('what is dropped and made again in one migration was not there before', () => {
  expect(again(`drop table if exists app_public.a cascade; ${table}`)).toBe(true);
  expect(again(`drop index if exists app_public.a_b_idx; ${index}`)).toBe(true);
  const columns = 'alter table app_public.a drop column if exists b, drop column if exists c;';
  expect(again(`${columns} alter table app_public.a add column b int, add column c int;`)).toBe(true);
});

test('what is not made again, or was there before, is lost', () => {
  expect(again('drop table if exists app_public.a; select 1')).toBe(false);
  expect(again(`drop table if exists app_public.a, app_public.b; ${table}`)).toBe(false);
  expect(again(`drop table if exists app_public.a; ${table}`, table)).toBe(false);
  expect(again(`drop index if exists app_public.a_b_idx; ${index}`, index)).toBe(false);
  expect(again('alter table app_public.a drop b; alter table app_public.a add b int')).toBe(false);
  const column = 'alter table app_public.a drop column b; alter table app_public.a add column b int';
  expect(again(column)).toBe(true);
  expect(again(column, table)).toBe(false);
  expect(again(column, 'alter table app_public.a add column b int')).toBe(false);
});

test('a table that the migration itself has made is used by nobody', () => {
  const [made, altered] = splitStatements('current.sql', `${table} alter table only app_public.a add column c int`) as [
    Statement,
    Statement,
  ];
  expect(isOfNewTable(altered, [made], [])).toBe(true);
  expect(isOfNewTable(altered, [], [])).toBe(false);
  expect(isOfNewTable(altered, [made], [made])).toBe(false);
});
