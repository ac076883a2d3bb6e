import { conjuncts, type Node, nodes } from '../../postgres/nodeTree.ts';
import { allowed } from '../allowed.ts';
import { TRUE } from '../logic.ts';
import type { Policy, PolicyFacts } from '../policies.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a tenant may write a row that gives them access to rows of others',
  judge: (policy, facts) => {
    const trusted = facts.trusted.get(policy.table);
    if (!policy.permissive || !trusted) return undefined;
    const written = policy.check ?? policy.using;
    const fixed = written ? fixedColumns(written, facts) : new Set<number>();
    const free = [...trusted.columns].filter((column) => !fixed.has(column));
    const { read, written: ofCheck } = allowed(policy, 'own row', facts);
    // Postgres checks a new row by WITH CHECK alone, and by USING only if there is no WITH CHECK.
    const isNewRowOpen = Boolean((policy.check === null ? read : ofCheck) & TRUE);
    if (!isNewRowOpen) return undefined;
    const granted = (columns: ReadonlySet<string>) => free.filter((column) => columns.has(`${policy.table}.${column}`));
    const inserts = /^(insert|all)$/.test(policy.command) && mayInsert(policy, facts);
    const updates = /^(update|all)$/.test(policy.command) && Boolean(policy.using === null || read & TRUE);
    const inserted = inserts ? granted(facts.insertable) : [];
    const updated = updates ? granted(facts.updatable) : [];
    if (inserts && trusted.columns.size === 0)
      return `lets every tenant insert a row of their own, which ${trusted.by} takes as a permission: let only those who may grant it write it`;
    if (inserted.length === 0 && updated.length === 0) return undefined;
    const names = [...new Set([...inserted, ...updated])].map((column) =>
      facts.columns.get(`${policy.table}.${column}`),
    );
    return `lets every tenant choose ${names.join(' and ')} in a row of their own, which ${trusted.by} takes as a permission: let only those who may grant it write it`;
  },
};

function mayInsert({ table }: Policy, { insertable }: PolicyFacts): boolean {
  return [...insertable].some((key) => key.startsWith(`${table}.`));
}

/** Columns that a condition compares with a constant. */
function fixedColumns(condition: Node, { operators }: PolicyFacts): Set<number> {
  return new Set(
    conjuncts(condition).flatMap(({ kind, fields }) => {
      if (kind !== 'OPEXPR' || operators.get(String(fields.opno)) !== '=') return [];
      const sides = nodes(fields.args);
      const column = sides.find((side) => side.kind === 'VAR');
      return column && sides.some((side) => side.kind === 'CONST') ? [Number(column.fields.varattno)] : [];
    }),
  );
}
