import type pg from 'pg';
import type { Attempt } from '../isolation/attempt.ts';
import { hedgerowScope } from '../isolation/hedgerow/scope.ts';
import { groupLeaks, leaksOf } from '../isolation/proof.ts';
import { proveSql } from '../isolation/proveSql.ts';
import type { Finding } from '../lint/rule.ts';
import { ourSchema } from '../postgres/ownObjects.ts';
import { isScratch } from '../postgres/target/scratch.ts';
import type { Target } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';
import { isBranch } from './branches/mark.ts';

const insufficientPrivilege = '42501';

/** Maximum number of leaks in a report. */
const maxReportedLeaks = 20;

/**
 * Attacks one tenant with another, in SQL, on a disposable copy of the database. It replaces all rows of the copy with
 * the seed data of two tenants, so that the duration does not depend on the size of the data.
 *
 * @returns a finding for each leak, and for each property that the prover could not show.
 */
export async function attack({ adminUrl }: Pick<Target, 'adminUrl'>): Promise<readonly Finding[]> {
  const obstacle = adminUrl === undefined ? 'ROOT_DATABASE_URL is not set' : await withClient(adminUrl, deleteAllRows);
  if (adminUrl === undefined || obstacle !== undefined) {
    const detail = `isolation was not attacked: ${obstacle}. Run \`npm run isolation\`, which attacks the migrations.`;
    return [finding('warning', 'the copy', detail)];
  }
  const proof = await proveSql({
    adminUrl,
    searchPath: 'pg_catalog',
    login: 'hedgerow_authenticator',
    owner: 'hedgerow_owner',
    scope: hedgerowScope,
    seedData: { seed: 1 },
  });
  const leaks = groupLeaks(leaksOf(proof))
    .slice(0, maxReportedLeaks)
    .map((group) => {
      const [{ table, attack, evidence }] = group as [Attempt];
      return finding('error', table, `${attack}: ${evidence ?? ''}`);
    });
  return [...leaks, ...proof.unproven.map((reason) => finding('error', 'the copy', reason))];
}

/**
 * Deletes all rows except the record of migrations.
 *
 * @returns the reason if the rows were not deleted: the database is not a disposable copy, or the admin lacks a right.
 */
async function deleteAllRows(admin: pg.Client): Promise<string | undefined> {
  if (!((await isScratch(admin)) || (await isBranch(admin)))) return 'the database is not marked as a disposable copy';
  const { rows } = await admin.query<{ free: boolean; tables: string | null }>(
    `select (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as free,
       string_agg(c.oid::regclass::text, ', ') as tables
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and ${ourSchema}
       and not exists (select from pg_depend e where e.objid = c.oid and e.deptype = 'e')`,
  );
  if (!rows[0]?.free) return 'row-level security applies to the admin of ROOT_DATABASE_URL';
  if (!rows[0].tables) return undefined;
  try {
    // `replica` disables triggers: the trigger of an append-only table would refuse the truncate.
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
