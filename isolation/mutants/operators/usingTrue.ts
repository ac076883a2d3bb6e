import type { Kind } from '../mutant.ts';
import { policiesOf, policyName } from '../mutantTarget.ts';
import { alter } from '../policySql.ts';
import { aboutPolicy } from '../proofs.ts';

/** A policy's USING lets every row through. */
export const usingTrue: Kind = function* ({ catalog }) {
  for (const { table, policy } of policiesOf(catalog)) {
    if (!policy.using || policy.using === 'true') continue;
    yield {
      object: policyName(table, policy),
      description: `USING is true: ${policy.command} reaches every row of ${table.name}.`,
      // WITH CHECK stays what it was, or it would be widened too where USING stands for it.
      sql: alter(
        table,
        policy,
        `using (true)${policy.command === 'update' || policy.command === 'all' ? ` with check (${policy.check ?? policy.using})` : ''}`,
      ),
      relations: [table.oid],
      proofs: aboutPolicy(catalog, table, policy),
    };
  }
};
