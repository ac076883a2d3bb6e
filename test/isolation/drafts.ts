import { hedgerowScope } from '../../isolation/hedgerow/scope.ts';
import { exitCodeOf } from '../../isolation/proof.ts';
import { proveSql, type SqlProof } from '../../isolation/proveSql.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { roles } from './onSchema.ts';

/** Runs `use` on a database with Hedgerow's schema and `sql`. */
export async function withSchema<Result>(sql: string, use: (db: TestDatabase) => Promise<Result>): Promise<Result> {
  const db = await createTestDatabase();
  try {
    await db.asAdmin(`begin; set local role hedgerow_owner; ${sql}; commit`);
    return await use(db);
  } finally {
    await db.drop();
  }
}

/** Adds the exit code that the command would have. */
export function withCode(proof: SqlProof): SqlProof & { code: number } {
  const rest = { database: '', seed: 1, repeat: '', startedAt: new Date(), seconds: 0, tables: [], mutants: undefined };
  return { ...proof, code: exitCodeOf({ ...proof, ...rest }) };
}

/** Attacks app_public.drafts by SQL; `code` is the exit code of the command. */
export function prove(
  sql: string,
  set?: Record<string, string>,
  fixed?: readonly string[],
): Promise<SqlProof & { code: number }> {
  return withSchema(sql, async ({ adminUrl }) => {
    const proof = await proveSql({
      ...roles,
      adminUrl,
      scope: { ...hedgerowScope, set: { ...hedgerowScope.set, ...set }, fixed },
      seedData: { seed: 1 },
      searchPath: 'pg_catalog',
      only: (name) => /drafts/.test(name),
    });
    return withCode(proof);
  });
}

export const own = 'user_id = (select app_public.current_user_id())';

/** A table of drafts, with a policy that allows owners everything if `condition` holds. */
export const drafts = (condition: string, more = '') => `
create table app_public.drafts (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  body text not null check (body <> ''),
  primary key (user_id, id)
);
alter table app_public.drafts enable row level security, force row level security;
grant select, insert (id, body), update (body), delete on app_public.drafts to hedgerow_tenant;
${more}
create policy own on app_public.drafts to hedgerow_tenant using (${condition === '' ? own : `${own} and ${condition}`});`;
