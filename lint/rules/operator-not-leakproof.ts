import { children, isNode, type Node } from '../nodeTree.ts';
import type { PolicyFacts } from '../policies.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a policy gives hidden rows to an operator or function that is not leakproof',
  judge: ({ using, check }, facts) => {
    const found = [using, check].filter(isNode).flatMap((one) => leaks(one, 0, facts));
    return found.length > 0
      ? `gives columns of hidden rows to ${[...new Set(found)].join(' and ')}, which may tell of them: not leakproof`
      : undefined;
  },
};

/** What is not leakproof and is given a column of the policy's own table. */
function leaks(node: Node, depth: number, facts: PolicyFacts): string[] {
  const inside = children(node).flatMap((child) => leaks(child, child.kind === 'QUERY' ? depth + 1 : depth, facts));
  const { kind, fields } = node;
  if (!children(node).some((child) => isOwnColumn(child, depth))) return inside;
  // Text in and out: an error of the conversion shows the value.
  if (kind === 'COERCEVIAIO') return ['a cast', ...inside];
  const oid = kind === 'FUNCEXPR' ? fields.funcid : fields.opfuncid;
  const called = facts.functions.get(String(oid));
  if (!called || called.leakproof) return inside;
  return [fields.opno ? `operator ${facts.operators.get(String(fields.opno))}` : `${called.name}()`, ...inside];
}

/** Whether the value depends on a column of the policy's own table; subqueries see the rows that they may see. */
function isOwnColumn(node: Node, depth: number): boolean {
  if (node.kind === 'VAR') return Number(node.fields.varlevelsup) === depth;
  return node.kind !== 'SUBLINK' && children(node).some((child) => isOwnColumn(child, depth));
}
