import { descendants, isNode, nodes, same } from '../../postgres/nodeTree.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy compares a column with itself, which is true for every row',
  judge: ({ using, check }, { operators }) => {
    const isVacuous = [using, check]
      .filter(isNode)
      .flatMap(descendants)
      .some(({ kind, fields }) => {
        if (kind !== 'OPEXPR' || operators.get(String(fields.opno)) !== '=') return false;
        const [left, right] = nodes(fields.args);
        return left?.kind === 'VAR' && right !== undefined && same(left, right);
      });
    return isVacuous
      ? 'compares a column with itself, which is true for every row: a subquery reads an unqualified name from its own tables first, so write the name of the table before the column'
      : undefined;
  },
};
