import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { buildServedApi } from '../../dba/servedApi/lintSchema.ts';
import { inspectCatalog } from '../../lint/catalog.ts';
import { readRules } from '../../lint/rules.ts';
import { openTestDatabase } from '../support/database.ts';

const { client } = await openTestDatabase();

const user = 'aaaaaaaa-0000-4000-8000-000000000000';

/** Returns the SQLSTATE of a tenant's select on `table` under one of its policies, or undefined if it succeeds. */
async function failure(sql: string, table: string, policy: string): Promise<string | undefined> {
  await client.query('begin');
  try {
    await client.query(sql);
    const { rows } = await client.query<{ polname: string }>(
      'select polname from pg_policy where polrelid = $1::regclass',
      [table],
    );
    const others = rows.filter(({ polname }) => polname !== policy);
    await client.query(
      [
        ...others.map(({ polname }) => `drop policy ${client.escapeIdentifier(polname)} on ${table}`),
        `insert into app_public.users (id, email, username) values ('${user}', 'a@example.com', 'ada')`,
        `insert into ${table} (user_id, title) values ('${user}', 'x')`,
        `alter table ${table} enable row level security; grant select on ${table} to hedgerow_tenant`,
        `set local search_path = pg_catalog; set local app.current_user_id = '${user}'; set local role hedgerow_tenant`,
        `select from ${table}`,
      ].join('; '),
    );
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  } finally {
    await client.query('rollback');
  }
}

const policies = (sql: string, table: string) =>
  [...sql.matchAll(/^create policy (\w+) on (\S+) for select/gm)].flatMap(([, name, on]) =>
    on === table ? [name as string] : [],
  );

test.each([
  ['policy-not-executable', 'app_public.notes', ['42501']],
  ['policy-reads-own-table', 'app_public.drafts', ['42P17', '54001']],
])('Postgres rejects each policy that %s finds, and no policy that it accepts', async (rule, table, codes) => {
  const text = await readFile(join(root, 'test', 'lint', 'rules', `${rule}.sql`), 'utf8');
  const [bad = '', fixed = ''] = text.split('-- fixed:\n');
  expect(policies(bad, table).length).toBeGreaterThan(2);
  for (const name of policies(bad, table))
    expect([name, await failure(bad, table, name)]).toEqual([name, expect.stringMatching(new RegExp(codes.join('|')))]);
  for (const name of policies(fixed, table))
    expect([name, await failure(fixed, table, name)]).toEqual([name, undefined]);
});

const rules = (await readRules()).filter(({ name }) => name === 'policy-not-executable');
const setup = `
  create table app_public.notes (user_id uuid primary key, title text);
  create table app_public.hidden (user_id uuid primary key);
  create function app_private.secret() returns boolean language sql stable as 'select true';
  revoke execute on function app_private.secret from public;
  create function app_public.deep() returns boolean language plpgsql stable as 'begin return app_private.secret(); end';
  grant usage on schema app_private to hedgerow_tenant;`;
const f = (body: string, language = 'plpgsql') =>
  `${setup} create function app_public.f() returns boolean language ${language} stable as $$ ${body} $$;
  grant execute on all functions in schema app_public to hedgerow_tenant;
  create policy own on app_public.notes for select to hedgerow_tenant using (app_public.f());`;

async function levels(sql: string): Promise<string[]> {
  await client.query('begin');
  try {
    await client.query(`${sql}; set local search_path = pg_catalog`);
    return (await inspectCatalog(client, rules, buildServedApi)).map(({ level }) => level);
  } finally {
    await client.query('rollback');
  }
}

test.each([
  "begin if session_user = 'nobody' then return app_private.secret(); end if; return true; end",
  "begin if session_user <> 'nobody' then return true; end if; return app_private.secret(); end",
  'begin return app_private.secret(); exception when insufficient_privilege then return true; end',
  'begin begin perform app_private.secret(); exception when others then null; end; return true; end',
  'begin begin perform app_public.deep(); exception when others then null; end; return true; end',
  "begin if session_user = 'nobody' then perform from app_public.hidden; end if; return true; end",
  'begin while false loop perform app_private.secret(); end loop; return true; end',
  "begin case session_user when 'nobody' then return app_private.secret(); else return true; end case; end",
  'begin return true; return app_private.secret(); end',
  'begin loop exit; perform app_private.secret(); end loop; return true; end',
  "begin return case when session_user = 'nobody' then app_public.deep() else true end; end",
])('a privilege missing only in a branch, or under an exception handler, is a warning: %s', async (body) => {
  expect(await levels(f(body))).toEqual(['warning']);
  expect(await failure(f(body), 'app_public.notes', 'own')).toBeUndefined();
});

test.each([
  ['plpgsql', 'begin if app_private.secret() then return true; end if; return true; end'],
  [
    'plpgsql',
    'declare found boolean := app_private.secret(); begin if found then return true; end if; return true; end',
  ],
  ['plpgsql', 'begin perform from app_public.hidden; if true then return true; end if; return true; end'],
  ['plpgsql', 'begin return app_public.deep(); end'],
  ['plpgsql', 'begin for i in 1..(app_private.secret()::int) loop return false; end loop; return true; end'],
  ['sql', "select case when session_user = 'nobody' then app_private.secret() else true end"],
])('a missing privilege that every run of a function needs is an error: %s %s', async (language, body) => {
  expect(await levels(f(body, language))).toEqual(['error']);
  expect(await failure(f(body, language), 'app_public.notes', 'own')).toBe('42501');
});
