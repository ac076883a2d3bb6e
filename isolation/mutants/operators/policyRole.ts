import type { Kind } from '../mutant.ts';
import { policiesOf, policyName } from '../mutantTarget.ts';
import { alter } from '../policySql.ts';
import { askedAlready, forOthers, notGranted, unreachable } from '../proofs.ts';

/** A policy speaks of everybody, or of another role than it did. */
export const policyRole: Kind = function* ({ catalog }) {
  const policies = policiesOf(catalog);
  const named = new Set(policies.flatMap(({ policy }) => policy.roles));
  for (const { table, policy } of policies) {
    for (const role of [
      'public',
      ...[...named, 'pg_monitor'].filter((name) => name !== 'public' && !policy.roles.includes(name)).slice(0, 1),
    ]) {
      if (policy.roles.includes(role)) continue;
      yield {
        object: `${policyName(table, policy)}, to ${role}`,
        description: `The policy is for ${role}, and was for ${policy.roles.join(', ')}.`,
        sql: alter(table, policy, `to ${role}`),
        relations: [table.oid],
        proofs: [
          unreachable(catalog, table),
          notGranted(catalog, table, policy.command),
          ...(role === 'public' ? [askedAlready(catalog, table, policy)] : []),
          ...(role !== 'public' && role !== catalog.role ? [forOthers(catalog, table, policy)] : []),
        ],
      };
    }
  }
};
