import type pg from 'pg';
import type { Attempt } from '../isolation/attempt.ts';
import { groupLeaks, leaksOf } from '../isolation/proof.ts';
import { proveSql } from '../isolation/proveSql.ts';
import type { Finding } from '../lint/rule.ts';
import { ourSchema } from '../postgres/ownObjects.ts';
import { isScratch } from '../postgres/target/scratch.ts';
import type { Target } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';
import { isBranch } from './branches/mark.ts';

const insufficientPrivilege = '42501';

/** Leaks that are told at most. */
const told = 20;

/**
 * Attacks one tenant with another, in SQL, on a copy that is thrown away afterwards: its rows are removed, so that their
 * number does not matter, and those of two tenants put in their place.
 *
 * @returns a finding for what leaks, and for what was not shown.
 */
export async function attack({ adminUrl }: Pick<Target, 'adminUrl'>): Promise<readonly Finding[]> {
  const obstacle = adminUrl === undefined ? 'there is no admin (ROOT_DATABASE_URL)' : await withClient(adminUrl, empty);
  if (adminUrl === undefined || obstacle !== undefined) {
    const detail = `isolation was not attacked: ${obstacle}. \`npm run isolation\` attacks the migrations.`;
    return [finding('warning', 'the copy', detail)];
  }
  const proof = await proveSql({
    ...{ adminUrl, searchPath: 'pg_catalog', login: 'hedgerow_authenticator', owner: 'hedgerow_owner' },
    scope: { schema: 'app_public', role: 'hedgerow_tenant', setting: 'app.current_user_id' },
    seedData: { seed: 1 },
  });
  const leaks = groupLeaks(leaksOf(proof))
    .slice(0, told)
    .map((group) => {
      const [{ table, attack, evidence }] = group as [Attempt];
      return finding('error', table, `${attack}: ${evidence ?? ''}`);
    });
  return [...leaks, ...proof.unproven.map((sentence) => finding('error', 'the copy', sentence))];
}

/** Removes all rows but the record of migrations. Answers why that may not be done, or would help nobody. */
async function empty(admin: pg.Client): Promise<string | undefined> {
  if (!((await isScratch(admin)) || (await isBranch(admin)))) return 'it is not marked as a copy';
  const { rows } = await admin.query<{ free: boolean; tables: string | null }>(
    `select (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as free,
       string_agg(c.oid::regclass::text, ', ') as tables
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and ${ourSchema}
       and not exists (select from pg_depend e where e.objid = c.oid and e.deptype = 'e')`,
  );
  if (!rows[0]?.free) return 'its admin is bound by row-level security';
  if (!rows[0].tables) return undefined;
  try {
    // No triggers: those of an append-only table would refuse.
    await admin.query(
      `begin; set local session_replication_role = replica; truncate ${rows[0].tables} cascade; commit`,
    );
    return undefined;
  } catch (error) {
    if ((error as { code?: unknown }).code === insufficientPrivilege) return (error as Error).message;
    throw error;
  }
}

function finding(level: Finding['level'], object: string, detail: string): Finding {
  return { rule: 'isolation', level, object, detail, page: 'docs/tester.md' };
}
