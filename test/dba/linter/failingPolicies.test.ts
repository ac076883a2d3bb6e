import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../../dba/root.ts';
import { openTestDatabase } from '../../support/database.ts';

const { client } = await openTestDatabase();

const user = 'aaaaaaaa-0000-4000-8000-000000000000';

/** The SQLSTATE that a tenant gets who reads `table` where only one of its policies is there; undefined for none. */
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
])('Postgres refuses each policy that %s finds, and none that it accepts', async (rule, table, codes) => {
  const text = await readFile(join(root, 'test', 'dba', 'lint', `${rule}.sql`), 'utf8');
  const [bad = '', mended = ''] = text.split('-- mended:\n');
  expect(policies(bad, table).length).toBeGreaterThan(2);
  for (const name of policies(bad, table))
    expect([name, await failure(bad, table, name)]).toEqual([name, expect.stringMatching(new RegExp(codes.join('|')))]);
  for (const name of policies(mended, table))
    expect([name, await failure(mended, table, name)]).toEqual([name, undefined]);
});
