import { readFile } from 'node:fs/promises';
import { withClient } from '../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

/** A database that Hedgerow does not own, and how its transactions name their tenant. */
export interface Sample {
  readonly schema: string;
  readonly role: string;
  readonly setting: string;
  readonly template: string;
}

export const samples = {
  supabase: {
    schema: 'public',
    role: 'authenticated',
    setting: 'request.jwt.claims',
    template: '{"sub": ":id", "role": "authenticated"}',
  },
  postgrest: {
    schema: 'api',
    role: 'web_user',
    setting: 'request.jwt.claims',
    template: '{"tenant_id": ":id", "role": "web_user"}',
  },
} as const satisfies Record<string, Sample>;

/** The roles of all samples. Roles belong to a whole cluster, and test files run at the same time. */
const roles = ['anon', 'authenticated', 'web_anon', 'web_user'];

/** The SQL that makes the roles, anyone who else makes them meanwhile. */
const makeRoles = `select pg_advisory_lock(4711);
${roles.map((role) => `do $$ begin if to_regrole('${role}') is null then create role ${role} nologin; end if; end $$;`).join('\n')}
select pg_advisory_unlock(4711);`;

/** Empties the database and fills it with a sample, and with `sql` on top of that. */
export async function fillWithSample(adminUrl: string, name: keyof typeof samples, sql = ''): Promise<void> {
  const sample = await readFile(new URL(`samples/${name}.sql`, import.meta.url), 'utf8');
  await withClient(adminUrl, async (client) => {
    await client.query(makeRoles);
    const { rows } = await client.query<{ name: string }>(
      `select quote_ident(nspname) as name from pg_namespace where nspname !~ '^pg_|^information_schema$'`,
    );
    for (const { name: schema } of rows) await client.query(`drop schema ${schema} cascade`);
    await client.query(`create schema public; ${sample}; ${sql}`);
  });
}

/** A database with a sample in it. */
export async function createSample(name: keyof typeof samples, sql = ''): Promise<TestDatabase> {
  const db = await createTestDatabase();
  await fillWithSample(db.adminUrl, name, sql);
  return db;
}
