import { ownerNotWritable, policyProofs } from '../equivalenceProofs.ts';
import { dropEachConjunct, replaceEach } from '../expression.ts';
import type { MutationOperator } from '../mutant.ts';
import { identityMarkers, policiesOf, policyName } from '../mutantTarget.ts';
import { alterPolicy } from '../statements.ts';

interface Rewritten {
  readonly changed: string;
  /** The part that the change takes from the expression; undefined if the result is not known to be weaker. */
  readonly dropped?: string | undefined;
}

/**
 * Creates a mutation operator that rewrites the USING and WITH CHECK expressions of policies.
 *
 * @param rewrite returns the variants of an expression. It receives a function that tells whether a part of the
 *   expression reads the current identity, because other parts do not affect isolation.
 */
function rewriteOperator(
  rewrite: (expression: string, readsIdentity: (part: string) => boolean) => readonly Rewritten[],
): MutationOperator {
  return function* (target) {
    const { catalog } = target;
    const markers = identityMarkers(catalog);
    const readsIdentity = (part: string) => markers.some((marker) => part.includes(marker));
    for (const { table, policy } of policiesOf(catalog)) {
      const clauses = { using: policy.using, 'with check': policy.check };
      for (const [clause, expression] of Object.entries(clauses)) {
        if (!expression) continue;
        for (const [at, { changed, dropped }] of rewrite(expression, readsIdentity).entries()) {
          // Without a WITH CHECK, USING also checks new rows. Keep that check as it was.
          const keepsCheck = clause === 'using' && !policy.check && ['update', 'all'].includes(policy.command);
          yield {
            object: `${policyName(table, policy)}, ${clause}${at > 0 ? `, place ${at + 1}` : ''}`,
            description: `${clause} changes from ${expression.replaceAll(/\s+/g, ' ')} to ${changed.replaceAll(/\s+/g, ' ')}.`,
            sql: alterPolicy(table, policy, `${clause} (${changed})${keepsCheck ? ` with check (${expression})` : ''}`),
            relations: [table.oid],
            proofs: [
              ...policyProofs(catalog, table, policy),
              ...(clause === 'with check' && dropped !== undefined && isMonotone(expression)
                ? ownerNotWritable(target, table, policy.command, dropped)
                : []),
            ],
          };
        }
      }
    }
  };
}

/** Whether the whole is weaker if a part is weaker. */
const isMonotone = (expression: string) => !/\b(NOT|CASE|IS)\b/i.test(expression);

/** Turns one AND into OR, or one OR into AND. */
export const swapAndOr = rewriteOperator((expression, readsIdentity) => {
  const swap = (from: string, to: string) =>
    replaceEach(expression, (token, surrounding) => (token === from && readsIdentity(surrounding) ? to : undefined));
  return [
    ...swap('AND', 'OR').map((changed) => ({ changed, dropped: expression })),
    ...swap('OR', 'AND').map((changed) => ({ changed })),
  ];
});

/** Turns one `=` into `<>`, and `= ANY` into `<> ALL`. */
export const equalToUnequal = rewriteOperator((expression, readsIdentity) =>
  replaceEach(expression, (token, surrounding) => (token === '=' && readsIdentity(surrounding) ? '<>' : undefined)).map(
    (changed) => ({ changed: changed.replace('<> ANY', '<> ALL') }),
  ),
);

/** Removes one operand of an AND. */
export const dropConjunct = rewriteOperator(dropEachConjunct);
