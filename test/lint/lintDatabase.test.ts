import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { type DatabaseOptions, type DatabaseReport, lintDatabase } from '../../lint/lintDatabase.ts';
import { readRules } from '../../lint/rules.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createSample, fillWithSample, type samples } from '../support/samples.ts';
import { startSystemPostgres, systemBin } from '../support/systemPostgres.ts';

const patience = 180_000;

const supabase: DatabaseOptions = {
  schemas: ['public'],
  roles: ['anon', 'authenticated'],
  setting: 'request.jwt.claims',
};
const postgrest: DatabaseOptions = { roles: ['web_user'], setting: 'request.jwt.claims', claims: ['tenant_id'] };

async function lint(name: keyof typeof samples, sql: string, options: DatabaseOptions): Promise<DatabaseReport> {
  const db = await createSample(name, sql);
  try {
    return await withClient(db.adminUrl, (client) => lintDatabase(client, options));
  } finally {
    await db.drop();
  }
}

const errorsIn = ({ findings }: DatabaseReport) =>
  findings.filter(({ level }) => level === 'error').map(({ rule, object }) => `${rule}: ${object}`);

test.each([
  ['supabase', supabase],
  ['postgrest', postgrest],
] as const)(
  'the sound sample has no errors, and the report names every rule that was not applied: %s',
  async (name, options) => {
    const report = await lint(name, '', options);
    expect(errorsIn(report)).toEqual([]);
    expect(report.inspected).toMatchObject({ tables: 3 });
    const left = report.notJudged.filter(({ about }) => about.startsWith('rule '));
    expect(left.map(({ about }) => about)).toEqual(
      expect.arrayContaining([
        'rule function-executable-by-public',
        'rule lock-timeout-missing',
        'rule policy-not-to-tenant',
      ]),
    );
    // Every rule is either applied or named.
    expect(left.length + report.inspected.rules).toBe((await readRules()).length);
  },
  patience,
);

test(
  'the linter finds leaks under the roles, schemas and claims of Supabase',
  async () => {
    const report = await lint(
      'supabase',
      `alter table public.profiles disable row level security;
    create policy "Signed in" on public.projects for select to authenticated using (auth.role() = 'authenticated');
    create policy "Everybody" on public.documents for select to authenticated using (true);
    create policy "By themselves" on public.documents for select to authenticated
      using (((select nullif(current_setting('request.jwt.claims', true), '')::jsonb) -> 'user_metadata' ->> 'id')::uuid = user_id);
    create view public.all_titles as select id, title from public.documents;
    grant select on public.all_titles to anon;
    create table public.drafts (owner uuid not null default auth.uid(), id uuid not null, body text unique, primary key (owner, id));
    alter table public.drafts enable row level security;
    create policy own on public.drafts to authenticated using (owner = (select auth.uid()) or (select auth.uid()) is null);
    grant select, insert on public.drafts to authenticated;
    create materialized view public.counts as select user_id, count(*) from public.documents group by 1;
    grant select on public.counts to authenticated;`,
      supabase,
    );
    expect(errorsIn(report).sort()).toEqual([
      'materialized-view: public.counts',
      'policy-always-true: policy "Everybody" on public.documents',
      'policy-treats-null-as-everyone: policy own on public.drafts',
      'policy-without-tenant: policy "By themselves" on public.documents',
      'policy-without-tenant: policy "Signed in" on public.projects',
      'rls-not-enabled: public.profiles',
      'unique-across-tenants: constraint drafts_body_key on public.drafts',
      'view-without-security-invoker: public.all_titles',
    ]);
    expect(report.findings).toContainEqual(
      expect.objectContaining({ object: 'public.all_titles', detail: expect.stringContaining('(for anon)') }),
    );
  },
  patience,
);

test(
  'only the claim that identifies the tenant makes a policy safe',
  async () => {
    const sql = `create policy by_plan on api.invoices for select to web_user
    using (tenant_id = (select (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'plan')::integer))`;
    expect(errorsIn(await lint('postgrest', sql, postgrest))).toEqual([
      'policy-without-tenant: policy by_plan on api.invoices',
    ]);
  },
  patience,
);

test(
  'the report names everything that was not judged, with the reason',
  async () => {
    const sql = `
    create function public.is_editor(uuid) returns boolean language sql stable set search_path = '' as $$ select false $$;
    create policy editors on public.projects for select to authenticated using (public.is_editor(id));
    create policy flagged on public.projects for select to authenticated using (current_setting('app.flag', true) = 'on');
    create policy service on public.projects for select to web_user using (true);
    create table public.ledger (id integer primary key);
    comment on table public.documents is '@isolation shared: a library';`;
    const { notJudged, findings } = await lint('supabase', sql, { roles: ['authenticated'] });
    expect(notJudged).toEqual(
      expect.arrayContaining([
        { about: 'setting request.jwt.claims', reason: expect.stringContaining('--setting was not given') },
        { about: 'policy editors on public.projects', reason: expect.stringContaining('public.is_editor()') },
        { about: 'policy flagged on public.projects', reason: expect.stringContaining('app.flag') },
        {
          about: 'policy service on public.projects',
          reason: expect.stringContaining('applies to web_user, which no --role names'),
        },
        { about: 'public.ledger', reason: expect.stringContaining('authenticated has no grant on it') },
        { about: 'public.documents', reason: expect.stringContaining('a library') },
      ]),
    );
    expect(findings.filter(({ object }) => object.includes('on public.documents'))).toEqual([]);
  },
  patience,
);

test(
  'the linter rejects roles that do not exist or have no grants, and suggests others',
  async () => {
    const run = (options: DatabaseOptions) => lint('supabase', '', options);
    await expect(run({ roles: [] })).rejects.toThrow(/No role is given\. .* grants on tables: .*authenticated/);
    await expect(run({ roles: ['missing'] })).rejects.toThrow('There is no role missing');
    await expect(run({ roles: ['anon'], schemas: ['missing'] })).rejects.toThrow('There is no schema missing');
    await expect(run({ roles: ['anon'] })).rejects.toThrow(/Nothing was inspected: anon has no grant/);
  },
  patience,
);

test(
  'the command inspects a database without Hedgerow by its URL and exits with 1 for an error',
  async () => {
    const db = await createSample('supabase', 'alter table public.profiles disable row level security');
    try {
      const options = ['--schema', 'public', '--role', 'authenticated', '--setting', 'request.jwt.claims'];
      const run = await command('--database-url', db.adminUrl, ...options, '--json');
      expect(run.code).toBe(1);
      expect(JSON.parse(run.stdout)).toMatchObject({
        findings: expect.arrayContaining([
          expect.objectContaining({ rule: 'rls-not-enabled', object: 'public.profiles' }),
        ]),
        notJudged: expect.arrayContaining([{ about: 'rule owned-by-another-role', reason: expect.any(String) }]),
        scope: { schemas: ['public'], roles: ['authenticated'], setting: 'request.jwt.claims' },
      });
      const inWords = await command('--database-url', db.adminUrl, ...options);
      expect(inWords.stdout).toMatch(/error rls-not-enabled public\.profiles.*Not judged:.*1 errors/s);
      expect(await command('--role', 'authenticated')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--database-url'),
      });
      expect(await command('--database-url', db.adminUrl)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--role'),
      });
    } finally {
      await db.drop();
    }
  },
  patience,
);

const bin = systemBin();
const onSystem = bin ? test : test.skip;

onSystem(
  'the linter inspects a Postgres installed on the system like the embedded one',
  async () => {
    const postgres = await startSystemPostgres(bin as string);
    try {
      await postgres.query('postgres', 'create database sample');
      const url = postgres.url('postgres', 'sample');
      const inspect = () => withClient(url, (client) => lintDatabase(client, supabase));
      await fillWithSample(url, 'supabase');
      expect(errorsIn(await inspect())).toEqual([]);
      await fillWithSample(
        url,
        'supabase',
        'create policy everybody on public.documents for select to authenticated using (true)',
      );
      expect(errorsIn(await inspect())).toEqual(['policy-always-true: policy everybody on public.documents']);
    } finally {
      await postgres.stop();
    }
  },
  patience,
);

function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
    const child = execFile(
      process.execPath,
      [join(root, 'dba', 'cli.ts'), 'lint', ...args],
      { env: { PATH, HOME, NODE_COMPILE_CACHE } },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}
