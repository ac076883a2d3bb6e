import { conjuncts, descendants, type Node, same } from '../nodeTree.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'warning',
  title: 'an update that hides the row from its tenant is refused',
  judge: ({ permissive, command, using, table }, { policies, updatable, tables }) => {
    if (!/^(select|all)$/.test(command) || !using) return undefined;
    const others = policies.filter((one) => one.table === table && one.permissive);
    const updates = others.filter((one) => /^(update|all)$/.test(one.command));
    const selects = others.filter((one) => /^(select|all)$/.test(one.command));
    // Another policy may keep the row visible; nobody updates where no policy lets them.
    if (updates.length === 0 || (permissive && selects.length > 1)) return undefined;
    const demanded = updates.flatMap(({ using: own, check }) =>
      (check ?? own) ? conjuncts((check ?? own) as Node) : [],
    );
    const hiding = conjuncts(using).filter(
      (part) =>
        columnsOf(part).some((column) => updatable.has(`${table}.${column}`)) &&
        !demanded.some((other) => same(part, other)),
    );
    if (hiding.length === 0) return undefined;
    return `it reads a column of ${tables.get(table)} that tenants may update: an update after which it does not hold is refused`;
  },
};

/** The numbers of the policy's own columns in an expression. */
function columnsOf(part: Node): string[] {
  return descendants(part)
    .filter(({ kind, fields }) => kind === 'VAR' && fields.varlevelsup === '0' && fields.varno === '1')
    .map(({ fields }) => String(fields.varattno));
}
