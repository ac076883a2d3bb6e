import { children, isNode, type Node } from '../../postgres/nodeTree.ts';
import type { PolicyFacts } from '../policies.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a policy passes hidden rows to an operator or function that is not leakproof',
  judge: ({ using, check }, facts) => {
    const found = [using, check].filter(isNode).flatMap((one) => leaks(one, 0, facts));
    return found.length > 0
      ? `passes columns of hidden rows to ${[...new Set(found)].join(' and ')}, which is not leakproof and can reveal them: compare plain columns with =`
      : undefined;
  },
};

/** Functions, operators and casts that are not leakproof and take a column of the policy's table. */
function leaks(node: Node, depth: number, facts: PolicyFacts): string[] {
  const inside = children(node).flatMap((child) => leaks(child, child.kind === 'QUERY' ? depth + 1 : depth, facts));
  const { kind, fields } = node;
  if (!children(node).some((child) => isOwnColumn(child, depth))) return inside;
  // The conversion goes through text, and its errors show the value.
  if (kind === 'COERCEVIAIO') return ['a cast', ...inside];
  const oid = kind === 'FUNCEXPR' ? fields.funcid : fields.opfuncid;
  const called = facts.functions.get(String(oid));
  if (!called || called.leakproof) return inside;
  return [fields.opno ? `operator ${facts.operators.get(String(fields.opno))}` : `${called.name}()`, ...inside];
}

/** Whether the value depends on a column of the policy's table. Policies already filter the rows of a subquery. */
function isOwnColumn(node: Node, depth: number): boolean {
  if (node.kind === 'VAR') return Number(node.fields.varlevelsup) === depth;
  return node.kind !== 'SUBLINK' && children(node).some((child) => isOwnColumn(child, depth));
}
