import type pg from 'pg';
import { allowed } from './allowed.ts';
import { TRUE } from './logic.ts';
import type { Policy, PolicyFacts } from './policies.ts';
import { type LintScope, setScope, type TableColumn } from './scope.ts';
import { columnsIn } from './subquery.ts';

/**
 * Finds columns that every policy for writes restricts: it reads them, and allows no row of the tenant that references
 * rows of others.
 */
function findGuardedColumns(facts: PolicyFacts): TableColumn[] {
  const writing = facts.policies.filter(
    ({ permissive, command }) => permissive && /^(insert|update|all)$/.test(command),
  );
  return [...Map.groupBy(writing, ({ table }) => table)].flatMap(([oid, policies]) => {
    const isOpen = (policy: Policy) => {
      const { read, written } = allowed(policy, 'own row', facts);
      return Boolean((policy.check === null ? read : written) & TRUE);
    };
    if (policies.some(isOpen)) return [];
    const read = policies.map((policy) => {
      const written = policy.check ?? policy.using;
      return new Set(written ? columnsIn(written).map(({ attnum }) => Number(attnum)) : []);
    });
    return [...(read[0] ?? [])].filter((one) => read.every((of) => of.has(one))).map((attnum) => ({ oid, attnum }));
  });
}

/** Sets the scope that rules read, with what the policies tell. */
export async function setJudgedScope(client: pg.ClientBase, scope: LintScope, facts: PolicyFacts): Promise<void> {
  const read = [...facts.functions.values()].flatMap(({ otherSettings }) => otherSettings);
  const trustedSettings = [...new Set([...(scope.trustedSettings ?? []), ...read])];
  const owners = [...facts.owners].map(([oid, { attnum, kind }]) => ({ oid, attnum, kind }));
  await setScope(client, { ...scope, trustedSettings }, { owners, guarded: findGuardedColumns(facts) });
}
