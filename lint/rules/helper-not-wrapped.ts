import { children, isNode, type Node } from '../nodeTree.ts';
import type { PolicyFacts } from '../policies.ts';
import type { PolicyRule } from '../rule.ts';
import { isCorrelated } from '../subquery.ts';

export const rule: PolicyRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a function is called for every row',
  judge: ({ using, check }, { functions }) => {
    const called = [using, check].filter(isNode).flatMap((one) => callsPerRow(one, functions));
    if (called.length === 0) return undefined;
    return `calls ${[...new Set(called)].join(' and ')} for every row: put it into (select …), which is evaluated once`;
  },
};

/** The functions that are not immutable and stand outside of every subquery that could be run once. */
function callsPerRow(node: Node, functions: PolicyFacts['functions']): string[] {
  if (node.kind === 'SUBLINK') {
    // What is compared with the subquery's rows stands outside of it.
    const beside = isNode(node.fields.testexpr) ? callsPerRow(node.fields.testexpr, functions) : [];
    return isCorrelated(node) ? children(node).flatMap((child) => callsPerRow(child, functions)) : beside;
  }
  const called = node.kind === 'FUNCEXPR' ? functions.get(String(node.fields.funcid)) : undefined;
  // A cast of a column cannot be evaluated once.
  const own = called && !called.immutable && node.fields.funcformat === '0' ? [`${called.name}()`] : [];
  return [...own, ...children(node).flatMap((child) => callsPerRow(child, functions))];
}
