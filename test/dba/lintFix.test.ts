import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { fixOf } from '../../dba/lintFix/fixes.ts';
import { wrapCalls } from '../../dba/lintFix/wrapCalls.ts';
import { buildServedApi } from '../../dba/servedApi/lintSchema.ts';
import { inspectCatalog } from '../../lint/catalog.ts';
import type { Finding } from '../../lint/rule.ts';
import { readRules } from '../../lint/rules.ts';
import { toSarif } from '../../lint/sarif.ts';
import { openTestDatabase } from '../support/database.ts';
import { openWorkbench, type Workbench } from '../support/verbs.ts';

const { client } = await openTestDatabase();
const rules = await readRules();

test.each([
  ['rls-not-forced', []],
  ['view-without-security-invoker', []],
  // A call with a column as argument cannot be wrapped.
  ['helper-not-wrapped', ['policy update_own on app_public.notes']],
  ['owner-column-not-indexed', []],
  ['owner-column-granted', []],
  ['beyond-rls-granted', []],
  ['granted-to-public', []],
  ['function-executable-by-public', []],
])('the corrections for the bad case of %s can run twice, and leave %j', async (name, left) => {
  const rule = rules.find((one) => one.name === name);
  if (!rule) throw new Error(`there is no rule ${name}`);
  const [bad = ''] = (await readFile(join(root, 'test', 'lint', 'rules', `${name}.sql`), 'utf8')).split('-- fixed:');
  await client.query('begin');
  try {
    await client.query(bad);
    await client.query('set local search_path = pg_catalog');
    const before = await inspectCatalog(client, [rule], buildServedApi);
    expect(before).not.toEqual([]);
    for (const finding of before) {
      const statements = (await fixOf(client, finding)).join('\n');
      await client.query(statements);
      await client.query(statements);
    }
    expect((await inspectCatalog(client, [rule], buildServedApi)).map(({ object }) => object).sort()).toEqual(left);
  } finally {
    await client.query('rollback');
  }
});

test.each([
  ['(user_id = app.f())', '(user_id = (select app.f()))'],
  [
    "((NULLIF(current_setting('a.b'::text, true), ''::text))::uuid = id)",
    "((NULLIF((select current_setting('a.b'::text, true)), ''::text))::uuid = id)",
  ],
  ['(user_id = ( SELECT app.f() AS f))', '(user_id = ( SELECT app.f() AS f))'],
  ['app.f(user_id)', 'app.f(user_id)'],
  ["(title = 'app.f()')", "(title = 'app.f()')"],
  ["app.f('it''s (', 1)", "(select app.f('it''s (', 1))"],
])('calls in %s are wrapped if they are constant', (expression, expected) => {
  expect(wrapCalls(expression, ['app.f', 'current_setting'])).toBe(expected);
});

describe('lint', () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await openWorkbench();
  });
  afterAll(() => bench.remove());
  const current = () => readFile(bench.file('current.sql'), 'utf8');

  const faulty = `drop view if exists app_public.titles;
drop table if exists app_public.notes;
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = app_public.current_user_id());
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = app_public.current_user_id());
grant select, insert, truncate on app_public.notes to hedgerow_tenant;
create view app_public.titles as select title from app_public.notes;
grant select on app_public.titles to hedgerow_tenant;
`;

  test('--fix writes and prints corrections that need no decision, and changes nothing on a second run', async () => {
    await writeFile(bench.file('current.sql'), faulty);
    const { code, output } = await bench.db('lint', '--fix');
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('0 errors') });
    const fixed = await current();
    expect(fixed.startsWith(faulty)).toBe(true);
    for (const statement of [
      'alter table app_public.notes force row level security;',
      'alter view app_public.titles set (security_invoker = true);',
      'revoke truncate on app_public.notes from hedgerow_tenant;',
      'revoke insert on app_public.notes from hedgerow_tenant;',
      'grant insert (id, title) on app_public.notes to hedgerow_tenant;',
      '(select app_public.current_user_id())',
    ]) {
      expect(fixed).toContain(statement);
      expect(output).toContain(statement);
    }
    const again = await bench.db('lint', '--fix');
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining('Nothing to fix') });
    expect(await current()).toBe(fixed);
    expect(await bench.db('watch', '--once')).toMatchObject({ code: 0 });
  }, 180_000);

  test('--fix with another database is refused', async () => {
    const refused = await bench.db('lint', '--fix', '--database-url', bench.database.ownerUrl);
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('leave out --database-url') });
  });

  test('--format sarif reports findings and suppressions', async () => {
    const allowed = '-- lint: allow rls-not-forced on app_public.notes because a test says so\n';
    await writeFile(bench.file('current.sql'), `${allowed}${faulty}`);
    const { code, output } = await bench.db('lint', '--format', 'sarif');
    expect(code).toBe(1);
    const { version, runs } = JSON.parse(output.slice(output.indexOf('{\n'), output.lastIndexOf('\n}') + 2));
    expect(version).toBe('2.1.0');
    expect(runs).toHaveLength(1);
    const [{ tool, results }] = runs;
    const view = results.find(({ ruleId }: { ruleId: string }) => ruleId === 'view-without-security-invoker');
    expect(tool.driver.rules[view.ruleIndex].id).toBe('view-without-security-invoker');
    expect(view).toMatchObject({
      level: 'error',
      message: { text: expect.stringContaining('app_public.titles') },
      locations: [{ physicalLocation: { artifactLocation: { uri: 'current.sql' }, region: { startLine: 14 } } }],
    });
    const suppressed = results.find(({ ruleId }: { ruleId: string }) => ruleId === 'rls-not-forced');
    expect(suppressed.suppressions).toEqual([{ kind: 'inSource', justification: 'a test says so' }]);
    expect(await bench.db('lint', '--format', 'xml')).toMatchObject({ code: 2 });
  }, 180_000);
});

test('a SARIF report uses absolute URLs only for pages on the web, and has a line for every finding', () => {
  const finding: Finding = { rule: 'a-rule', level: 'warning', object: 'o', detail: 'd', page: 'docs/lint/a-rule.md' };
  const elsewhere: Finding = {
    ...finding,
    rule: 'squawk/x',
    page: 'https://squawkhq.com/docs/x',
    file: 'a b.sql',
    line: 3,
  };
  const sarif = toSarif({ findings: [finding, elsewhere] }) as { runs: { tool: object; results: object[] }[] };
  expect(sarif.runs[0]).toMatchObject({
    tool: { driver: { rules: [{ id: 'a-rule' }, { id: 'squawk/x', helpUri: 'https://squawkhq.com/docs/x' }] } },
    results: [
      {
        ruleIndex: 0,
        locations: [{ physicalLocation: { artifactLocation: { uri: 'current.sql' }, region: { startLine: 1 } } }],
      },
      {
        ruleIndex: 1,
        locations: [{ physicalLocation: { artifactLocation: { uri: 'a%20b.sql' }, region: { startLine: 3 } } }],
      },
    ],
  });
  expect(JSON.stringify(sarif.runs[0]?.tool)).not.toContain('"helpUri":"docs');
});
