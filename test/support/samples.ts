import { readFile } from 'node:fs/promises';
import { withClient } from '../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

/** A third-party database, and the setting that names the tenant of a transaction. */
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

/** The roles of all samples. Roles belong to the cluster, which concurrent test files share. */
const roles = ['anon', 'authenticated', 'web_anon', 'web_user'];

/** SQL that creates the roles. A lock protects it from concurrent test files. */
const makeRoles = `select pg_advisory_lock(4711);
${roles.map((role) => `do $$ begin if to_regrole('${role}') is null then create role ${role} nologin; end if; end $$;`).join('\n')}
select pg_advisory_unlock(4711);`;

/** Empties the database and loads a sample, followed by `sql`. */
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

/** Creates a database with a sample. */
export async function createSample(name: keyof typeof samples, sql = ''): Promise<TestDatabase> {
  const db = await createTestDatabase();
  await fillWithSample(db.adminUrl, name, sql);
  return db;
}
