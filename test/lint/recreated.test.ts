import { isOfNewTable, isRecreated } from '../../lint/recreated.ts';
import { type Statement, splitStatements } from '../../lint/statements.ts';

/** Whether the first statement of a migration only drops objects that its other statements create. */
function recreates(sql: string, committed = ''): boolean {
  const [first, ...later] = splitStatements('current.sql', sql);
  return isRecreated(first as Statement, later, splitStatements('migrations/committed/000001.sql', committed));
}

const table = 'create table app_public.a (id uuid, b int);';
const index = 'create unique index a_b_idx on app_public.a (b);';

test('a drop is harmless if the same migration creates the object and no earlier one did', () => {
  expect(recreates(`drop table if exists app_public.a cascade; ${table}`)).toBe(true);
  expect(recreates(`drop index if exists app_public.a_b_idx; ${index}`)).toBe(true);
  const columns = 'alter table app_public.a drop column if exists b, drop column if exists c;';
  expect(recreates(`${columns} alter table app_public.a add column b int, add column c int;`)).toBe(true);
});

test('a drop loses an object that is not recreated or existed before', () => {
  expect(recreates('drop table if exists app_public.a; select 1')).toBe(false);
  expect(recreates(`drop table if exists app_public.a, app_public.b; ${table}`)).toBe(false);
  expect(recreates(`drop table if exists app_public.a; ${table}`, table)).toBe(false);
  expect(recreates(`drop index if exists app_public.a_b_idx; ${index}`, index)).toBe(false);
  expect(recreates('alter table app_public.a drop b; alter table app_public.a add b int')).toBe(false);
  const column = 'alter table app_public.a drop column b; alter table app_public.a add column b int';
  expect(recreates(column)).toBe(true);
  expect(recreates(column, table)).toBe(false);
  expect(recreates(column, 'alter table app_public.a add column b int')).toBe(false);
});

test('a table that the same migration created is not in use', () => {
  const [made, altered] = splitStatements('current.sql', `${table} alter table only app_public.a add column c int`) as [
    Statement,
    Statement,
  ];
  expect(isOfNewTable(altered, [made], [])).toBe(true);
  expect(isOfNewTable(altered, [], [])).toBe(false);
  expect(isOfNewTable(altered, [made], [made])).toBe(false);
});
