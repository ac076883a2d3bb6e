import { locate } from '../../lint/locate.ts';
import { splitStatements } from '../../lint/statements.ts';

const statements = [
  ...splitStatements(
    'migrations/committed/000001.sql',
    'create table app_public.a (id uuid);\ncreate index a_b_idx on app_public.a (b);',
  ),
  ...splitStatements(
    'current.sql',
    `create policy "Own" on app_public.a using (true);
create or replace function app_public.f(a uuid) returns int language sql return 1;
alter policy "Own" on app_public.a using (false);
create view app_public.v as select 1;
create view app_public.v as select 2;`,
  ),
];

test.each([
  ['app_public.a', 'migrations/committed/000001.sql', 1],
  ['app_public.a.id', 'migrations/committed/000001.sql', 1],
  ['constraint a_check on app_public.a', 'migrations/committed/000001.sql', 1],
  ['policy "Own" on app_public.a', 'current.sql', 1],
  ['function app_public.f(uuid)', 'current.sql', 2],
  ['app_public.v', 'current.sql', 5],
  ['role hedgerow_tenant', undefined, undefined],
])('the location of %s is the last statement that creates it', (object, file, line) => {
  const finding = { rule: 'x', level: 'error', object, detail: '', page: '' } as const;
  const found = locate(finding, statements);
  expect([found.file, found.line]).toEqual([file, line]);
});
