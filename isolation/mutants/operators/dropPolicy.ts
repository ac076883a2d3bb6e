import type { Kind } from '../mutant.ts';
import { policiesOf, policyName } from '../mutantTarget.ts';
import { drop } from '../policySql.ts';
import { aboutPolicy } from '../proofs.ts';

/** A policy is gone. A permissive one takes rights away, which a control notices; a restrictive one gives some. */
export const dropPolicy: Kind = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    yield {
      object: policyName(table, policy),
      description: policy.permissive
        ? `The policy is gone: ${policy.command} in ${table.name} is refused.`
        : `The policy is gone: it no longer narrows ${policy.command} in ${table.name}.`,
      sql: drop(table, policy),
      relations: [table.oid],
      proofs: aboutPolicy(catalog, table, policy),
    };
  }
};
