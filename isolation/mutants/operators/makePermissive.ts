import type { Kind } from '../mutant.ts';
import { policiesOf, policyName } from '../mutantTarget.ts';
import { recreate } from '../policySql.ts';
import { aboutPolicy } from '../proofs.ts';

/** A restrictive policy allows by itself what it was to narrow. */
export const makePermissive: Kind = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    if (policy.permissive) continue;
    yield {
      object: policyName(table, policy),
      description: `The policy is permissive: it allows ${policy.command} in ${table.name} where it was to narrow it.`,
      sql: recreate(table, policy, { permissive: true }),
      relations: [table.oid],
      proofs: aboutPolicy(catalog, table, policy),
    };
  }
};
