import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { exitCodeOf } from '../../isolation/proof.ts';
import { proveSql, type SqlProof } from '../../isolation/proveSql.ts';
import type { TestDatabase } from '../support/database.ts';
import { createSample, fillWithSample, type Sample, samples } from '../support/samples.ts';
import { startSystemPostgres, systemBin } from '../support/systemPostgres.ts';

const timeout = 300_000;

async function prove(
  adminUrl: string,
  { schema, role, setting, template }: Omit<Sample, 'template'> & { template?: string },
  set: Record<string, string> = {},
): Promise<SqlProof & { code: number; leaks: string[] }> {
  const proof = await proveSql({ adminUrl, scope: { schema, role, setting, template, set }, seedData: { seed: 1 } });
  const rest = { database: '', seed: 1, repeat: '', startedAt: new Date(), seconds: 0, tables: [], mutants: undefined };
  const leaks = proof.attempts
    .filter(({ outcome }) => outcome === 'leaked')
    .map(({ table, attack }) => `${table}: ${attack}`);
  return { ...proof, leaks, code: exitCodeOf({ ...proof, ...rest }) };
}

async function onSample<Result>(
  name: keyof typeof samples,
  sql: string,
  use: (db: TestDatabase) => Promise<Result>,
): Promise<Result> {
  const db = await createSample(name, sql);
  try {
    return await use(db);
  } finally {
    await db.drop();
  }
}

test.each(['supabase', 'postgrest'] as const)(
  'a sound sample is proven: %s',
  async (name) => {
    const { leaks, unproven, controls, code } = await onSample(name, '', ({ adminUrl }) =>
      prove(adminUrl, samples[name]),
    );
    expect(leaks).toEqual([]);
    expect(unproven).toEqual([]);
    expect(code).toBe(0);
    expect(controls.filter(({ works }) => works).length).toBeGreaterThan(10);
  },
  timeout,
);

test.each(['supabase', 'postgrest'] as const)(
  'an unreadable claims setting is no leak, and the report asks for the template: %s',
  async (name) => {
    const { template: _, ...sample } = samples[name];
    const { leaks, unproven, code } = await onSample(name, '', ({ adminUrl }) => prove(adminUrl, sample));
    expect(leaks).toEqual([]);
    expect(code).toBe(2);
    expect(unproven).toEqual([
      expect.stringMatching(/request\.jwt\.claims.*--setting-template '\{"sub": ":id", "role": "\w+"\}'/),
    ]);
  },
  timeout,
);

test.each([
  [
    'a table without row-level security',
    'alter table public.projects disable row level security',
    /^public\.projects: select/,
  ],
  [
    'a policy for every signed-in user',
    `create policy "Signed in" on public.documents for select to authenticated using (auth.role() = 'authenticated')`,
    /^public\.documents: select/,
  ],
  [
    'a policy that is true without a tenant',
    'create policy nobody on public.documents for select to authenticated using (auth.uid() is null)',
    /^public\.documents: select without a tenant/,
  ],
])(
  'the prover finds a fault in a sample: %s',
  async (_, sql, leak) => {
    const { leaks, code } = await onSample('supabase', sql, ({ adminUrl }) => prove(adminUrl, samples.supabase));
    expect(leaks).toContainEqual(expect.stringMatching(leak));
    expect(code).toBe(1);
  },
  timeout,
);

test(
  'a table that only a trigger of another table fills gets its rows from that trigger',
  async () => {
    // No foreign key references the accounts, and only the trigger inserts profiles.
    const sql = `
    alter table public.profiles drop constraint profiles_id_fkey;
    create function public.only_by_sign_up() returns trigger language plpgsql set search_path = '' as $$
      begin if pg_catalog.pg_trigger_depth() < 2 then raise exception 'sign up first'; end if; return new; end $$;
    create trigger only_by_sign_up before insert on public.profiles for each row execute function public.only_by_sign_up();`;
    const { leaks, unproven, owners } = await onSample('supabase', sql, ({ adminUrl }) =>
      prove(adminUrl, samples.supabase),
    );
    expect(unproven).toEqual([]);
    expect(leaks).toEqual([]);
    expect(owners['auth.users']).toContain('trigger on_auth_user_created copies it to public.profiles.id');
  },
  timeout,
);

test(
  'a row that a sign-up policy accepts is inserted without an identity',
  async () => {
    const sql = `
    drop trigger on_auth_user_created on auth.users;
    create policy "Sign up" on public.profiles for insert to authenticated with check ((select auth.uid()) is null);
    grant insert on public.profiles to authenticated;
    create function public.not_signed_in() returns trigger language plpgsql set search_path = '' as $$
      begin if auth.uid() is not null then raise exception 'signed in already'; end if; return new; end $$;
    create trigger not_signed_in before insert on public.profiles for each row execute function public.not_signed_in();`;
    const { unproven, controls } = await onSample('supabase', sql, ({ adminUrl }) => prove(adminUrl, samples.supabase));
    expect(unproven).toEqual([]);
    expect(controls).toContainEqual(
      expect.objectContaining({
        table: 'public.profiles',
        operation: 'insert',
        works: true,
        statement: expect.stringContaining('before signing in'),
      }),
    );
  },
  timeout,
);

test(
  'a table without rows is reported with the trigger that should insert them, and other tables are attacked',
  async () => {
    const sql = `create function public.never() returns trigger language plpgsql set search_path = '' as $$
      begin raise exception 'no profiles today'; end $$;
    create trigger never before insert on public.profiles for each row execute function public.never();
    drop trigger on_auth_user_created on auth.users;
    create trigger on_auth_user_created after insert on auth.users for each row when (new.email is null)
      execute function public.handle_new_user();`;
    const { unproven, attempts, code } = await onSample('supabase', sql, ({ adminUrl }) =>
      prove(adminUrl, samples.supabase),
    );
    expect(code).toBe(2);
    expect(unproven).toContainEqual(
      expect.stringMatching(
        /^public\.profiles was not attacked: no row for A .*no profiles today \(trigger on_auth_user_created on auth\.users inserts its rows\).*isolation\/fixtures/,
      ),
    );
    expect(new Set(attempts.map(({ table }) => table))).toContain('public.documents');
  },
  timeout,
);

test(
  'a table whose rows their own tenant cannot see is not proven',
  async () => {
    const sql = `alter policy "Users have documents" on public.documents
    using ((select auth.uid()) = user_id and title = md5(title))`;
    const { unproven, code } = await onSample('supabase', sql, ({ adminUrl }) => prove(adminUrl, samples.supabase));
    expect(code).toBe(2);
    expect(unproven).toContainEqual(
      expect.stringMatching(/^select on public\.documents .*No generated row satisfies the policies/),
    );
  },
  timeout,
);

test(
  'a policy that reads a second setting is not proven without its value, and its leak is found with it',
  async () => {
    const sql = `
    drop policy own on api.invoices;
    create policy own on api.invoices to web_user using (tenant_id = current_setting('app.tenant_id')::integer
      and (amount is null or paid = (current_setting('app.user_id')::uuid is not null) or not paid));
    create policy linked on api.invoices for select to web_user
      using (current_setting('app.user_id')::uuid is not null and paid);
    drop policy own on api.tenants;
    create policy own on api.tenants for select to web_user using (id = current_setting('app.tenant_id')::integer);
    drop policy own on api.invoice_lines;
    create policy own on api.invoice_lines to web_user using (tenant_id = current_setting('app.tenant_id')::integer);`;
    const scope = { schema: 'api', role: 'web_user', setting: 'app.tenant_id' };
    const [without, given] = await onSample('postgrest', sql, async ({ adminUrl }) => [
      await prove(adminUrl, scope),
      await onSample('postgrest', sql, (other) =>
        prove(other.adminUrl, scope, { 'app.user_id': '6f9d1c3e-6e2b-4b54-9d07-0a0d6a1b2c3d' }),
      ),
    ]);
    expect(without).toMatchObject({ code: 2, leaks: [] });
    expect(without.unproven).toContainEqual(
      expect.stringMatching(/^The setting app\.user_id has no value, and policy .*linked/),
    );
    expect(given.code).toBe(1);
    expect(given.leaks).toContainEqual('api.invoices: select by scan');
  },
  timeout,
);

test(
  'the report lists omissions with their reasons',
  async () => {
    const sql = `comment on table public.projects is '@isolation shared: everybody works on everything';
    create policy anonymous on public.documents for select to anon using (false);`;
    const { notJudged } = await onSample('supabase', sql, ({ adminUrl }) =>
      prove(adminUrl, samples.supabase, { 'app.flag': '' }),
    );
    expect(notJudged).toEqual(
      expect.arrayContaining([
        { about: 'public.projects', reason: expect.stringContaining('everybody works on everything') },
        { about: 'policy anonymous on public.documents', reason: expect.stringContaining('it is for anon') },
        { about: 'setting app.flag', reason: expect.stringContaining('left unset') },
        { about: 'settings request.jwt.claim.*', reason: expect.stringContaining('left unset') },
      ]),
    );
  },
  timeout,
);

test(
  'the command reports its omissions and the privileges that a copy needs',
  async () => {
    await onSample('supabase', '', async (db) => {
      await db.asAdmin('create role hedgerow_sample_reader login bypassrls password $$reader$$').catch(() => {});
      const [row] = await db.asAdmin<{ name: string }>('select quote_ident(current_database()) as name');
      await db.asAdmin(`grant connect on database ${row?.name} to hedgerow_sample_reader`);
      const reader = new URL(db.adminUrl);
      [reader.username, reader.password] = ['hedgerow_sample_reader', 'reader'];
      const { code, stderr } = await isolation('--database-url', reader.href, '--clone', ...scopeOf(samples.supabase));
      expect(code).toBe(2);
      expect(stderr).toMatch(/cannot be copied.*superuser.*CREATEDB and owns the database.*pg_dump.*hedgerow scratch/s);
      await db.asAdmin(`comment on database ${row?.name} is 'hedgerow scratch'`);
      const run = await isolation('--database-url', db.adminUrl, ...scopeOf(samples.supabase));
      expect(run.stdout).toMatch(/Not judged:.*the API: there is no Hedgerow.*Proven/s);
      expect(run.code).toBe(0);
    });
  },
  timeout,
);

const scopeOf = ({ schema, role, setting, template }: Sample) => [
  ...['--schema', schema, '--role', role, '--setting', setting],
  ...['--setting-template', template],
];

function isolation(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
    const child = execFile(
      process.execPath,
      [join(root, 'isolation', 'main.ts'), ...args],
      { env: { PATH, HOME, NODE_COMPILE_CACHE } },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

const bin = systemBin();
const onSystem = bin ? test : test.skip;

onSystem(
  'a run on the system’s own Postgres proves the sound sample and finds the fault in the other',
  async () => {
    const postgres = await startSystemPostgres(bin as string);
    try {
      for (const database of ['sound', 'holed']) await postgres.query('postgres', `create database ${database}`);
      await fillWithSample(postgres.url('postgres', 'sound'), 'supabase');
      await fillWithSample(
        postgres.url('postgres', 'holed'),
        'supabase',
        'alter table public.documents disable row level security',
      );
      expect(await prove(postgres.url('postgres', 'sound'), samples.supabase)).toMatchObject({
        code: 0,
        leaks: [],
        unproven: [],
      });
      const { code, leaks } = await prove(postgres.url('postgres', 'holed'), samples.supabase);
      expect(code).toBe(1);
      expect(leaks).toContainEqual('public.documents: select by scan');
    } finally {
      await postgres.stop();
    }
  },
  timeout,
);
