import type { Kind } from './mutant.ts';
import { identities, policiesOf, policyName } from './mutantTarget.ts';
import { alter } from './policySql.ts';
import { aboutPolicy } from './proofs.ts';

/**
 * A kind that writes the expressions of policies in other ways, USING and WITH CHECK each for itself.
 *
 * @param rewrite is told which part of an expression asks who is asking; what does not is no matter of isolation.
 */
export function rewriting(
  rewrite: (expression: string, asksWho: (part: string) => boolean) => readonly string[],
): Kind {
  return function* ({ catalog }) {
    const names = identities(catalog);
    const asksWho = (part: string) => names.some((name) => part.includes(name));
    for (const { table, policy } of policiesOf(catalog)) {
      const forms = { using: policy.using, 'with check': policy.check };
      for (const [clause, expression] of Object.entries(forms)) {
        if (!expression) continue;
        for (const [at, changed] of rewrite(expression, asksWho).entries()) {
          // Where USING stands for WITH CHECK, new rows stay held to what it was.
          const kept = clause === 'using' && !policy.check && ['update', 'all'].includes(policy.command);
          yield {
            object: `${policyName(table, policy)}, ${clause}${at > 0 ? `, place ${at + 1}` : ''}`,
            description: `${clause} is ${changed.replaceAll(/\s+/g, ' ')}, and was ${expression.replaceAll(/\s+/g, ' ')}.`,
            sql: alter(table, policy, `${clause} (${changed})${kept ? ` with check (${expression})` : ''}`),
            relations: [table.oid],
            proofs: aboutPolicy(catalog, table, policy),
          };
        }
      }
    }
  };
}
