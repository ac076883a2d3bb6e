import { children, isNode, type Node } from '../../postgres/nodeTree.ts';
import type { PolicyFacts } from '../policies.ts';
import type { PolicyRule } from '../rule.ts';
import { isCorrelated } from '../subquery.ts';

export const rule: PolicyRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a policy calls a function once for every row',
  judge: ({ using, check }, { functions }) => {
    const called = [using, check].filter(isNode).flatMap((one) => callsPerRow(one, functions));
    if (called.length === 0) return undefined;
    return `calls ${[...new Set(called)].join(' and ')} for every row: wrap it in (select …), which is evaluated once`;
  },
};

/** Functions that Postgres calls for every row: not immutable, and not inside an uncorrelated subquery. */
function callsPerRow(node: Node, functions: PolicyFacts['functions']): string[] {
  if (node.kind === 'SUBLINK') {
    // The expression compared with the rows of the subquery is outside it.
    const outside = isNode(node.fields.testexpr) ? callsPerRow(node.fields.testexpr, functions) : [];
    return isCorrelated(node) ? children(node).flatMap((child) => callsPerRow(child, functions)) : outside;
  }
  const called = node.kind === 'FUNCEXPR' ? functions.get(String(node.fields.funcid)) : undefined;
  // A cast of a column cannot be evaluated once.
  const own = called && !called.immutable && node.fields.funcformat === '0' ? [`${called.name}()`] : [];
  return [...own, ...children(node).flatMap((child) => callsPerRow(child, functions))];
}
