import { children, type Node } from '../postgres/nodeTree.ts';
import { Evaluator, type Identities, kindOf, type Situation } from './evaluator.ts';
import type { PolicyFacts } from './policies.ts';
import type { IdentityKind } from './scope.ts';

/**
 * Computes the possible results of `condition` in `situation`. It understands comparisons, and/or/not, nulls and
 * subqueries. Any other expression can have every result.
 *
 * @param table the oid of the policy's table.
 * @returns a set of TRUE, FALSE and UNKNOWN (see logic.ts).
 */
export function outcomes(condition: Node, table: string, situation: Situation, facts: PolicyFacts): number {
  return transactions(kindOf(table, facts), situation)
    .map((identities) => new Evaluator(table, identities, situation, facts))
    .map((evaluator) => evaluator.truth(condition, evaluator.outermost))
    .reduce((found, one) => found | one);
}

/** The transactions that a situation can mean. A transaction for an organization has a user, but not the reverse. */
function transactions(kind: IdentityKind, situation: Situation): Identities[] {
  const nobody: Identities = { tenant: 'null', member: 'null' };
  const both: Identities = { tenant: 'tenant', member: 'member' };
  if (situation === 'own row') return [both];
  if (kind === 'user') return situation === 'no tenant' ? [nobody] : [both, { tenant: 'tenant', member: 'null' }];
  return situation === 'no tenant' ? [nobody, { tenant: 'null', member: 'member' }] : [both];
}

/** Returns the numbers of the columns of the policy's table that a condition compares with the tenant by equality. */
export function columnsOfTenant(condition: Node, table: string, facts: PolicyFacts): number[] {
  const evaluator = new Evaluator(table, { tenant: 'tenant', member: 'member' }, 'foreign row', facts);
  const within = (node: Node): Node[] => (node.kind === 'QUERY' ? [] : [node, ...children(node).flatMap(within)]);
  return within(condition).flatMap((node) => {
    const sides = evaluator.equated(node).map((side) => evaluator.value(side, evaluator.outermost));
    const [, number] = sides.map((side) => /^column 0 \d+ (\d+)$/.exec(side)).find((match) => match !== null) ?? [];
    return number !== undefined && sides.includes('tenant') ? [Number(number)] : [];
  });
}
