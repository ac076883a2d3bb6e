import { conjuncts, descendants, type Node, same } from '../../postgres/nodeTree.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'warning',
  title: 'an update that hides the row from its tenant fails',
  judge: ({ permissive, command, using, table }, { policies, updatable, tables }) => {
    if (!/^(select|all)$/.test(command) || !using) return undefined;
    const others = policies.filter((one) => one.table === table && one.permissive);
    const updates = others.filter((one) => /^(update|all)$/.test(one.command));
    const selects = others.filter((one) => /^(select|all)$/.test(one.command));
    // Another select policy may keep the row visible. Without an update policy, tenants update nothing.
    if (updates.length === 0 || (permissive && selects.length > 1)) return undefined;
    const required = updates.flatMap(({ using: own, check }) =>
      (check ?? own) ? conjuncts((check ?? own) as Node) : [],
    );
    const hiding = conjuncts(using).filter(
      (part) =>
        columnsOf(part).some((column) => updatable.has(`${table}.${column}`)) &&
        !required.some((other) => same(part, other)),
    );
    if (hiding.length === 0) return undefined;
    return `it reads a column of ${tables.get(table)} that tenants may update, so an update that makes it false fails: filter in a view, or repeat the condition in the update policy`;
  },
};

/** The numbers of the columns of the policy's table that an expression reads. */
function columnsOf(part: Node): string[] {
  return descendants(part)
    .filter(({ kind, fields }) => kind === 'VAR' && fields.varlevelsup === '0' && fields.varno === '1')
    .map(({ fields }) => String(fields.varattno));
}
