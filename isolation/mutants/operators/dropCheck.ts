import type { Kind } from '../mutant.ts';
import { policiesOf, policyName } from '../mutantTarget.ts';
import { recreate } from '../policySql.ts';
import { aboutPolicy, sameAsUsing } from '../proofs.ts';

/** A policy loses its WITH CHECK, and asks of new rows what USING says. */
export const dropCheck: Kind = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    if (!policy.using || !policy.check) continue;
    yield {
      object: policyName(table, policy),
      description: `There is no WITH CHECK: new rows of ${table.name} are held to USING alone.`,
      sql: recreate(table, policy, { check: null }),
      relations: [table.oid],
      proofs: [...aboutPolicy(catalog, table, policy), sameAsUsing(table, policy)],
    };
  }
};
