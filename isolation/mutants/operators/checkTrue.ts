import type { Kind } from '../mutant.ts';
import { policiesOf, policyName } from '../mutantTarget.ts';
import { alter } from '../policySql.ts';
import { aboutPolicy, ownerIsGiven } from '../proofs.ts';

/** A policy's WITH CHECK lets every new row through. */
export const checkTrue: Kind = function* (ground) {
  const { catalog } = ground;
  for (const { table, policy } of policiesOf(catalog)) {
    if (policy.command === 'select' || policy.command === 'delete') continue;
    if ((policy.check ?? policy.using) === 'true') continue;
    yield {
      object: policyName(table, policy),
      description: `WITH CHECK is true: ${policy.command} may leave a row of ${table.name} to anybody.`,
      sql: alter(table, policy, 'with check (true)'),
      relations: [table.oid],
      proofs: [...aboutPolicy(catalog, table, policy), ...ownerIsGiven(ground, table, policy.command)],
    };
  }
};
