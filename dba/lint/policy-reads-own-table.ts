import { descendants, type Node, nodes } from '../linter/nodeTree.ts';
import type { Policy } from '../linter/policies.ts';
import type { PolicyRule } from '../linter/rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy reads its own table, which Postgres refuses as infinite recursion',
  judge: (policy, { policies, tables }) => {
    const seen = new Set<string>();
    // Reading a table asks the policies for select.
    const follow = (read: readonly string[], path: readonly string[]): readonly string[] | undefined => {
      for (const table of read) {
        if (table === policy.table) return [...path, table];
        if (seen.has(table)) continue;
        seen.add(table);
        const asked = policies.filter((one) => one.table === table && /^(select|all)$/.test(one.command));
        const found = follow(asked.flatMap(readTables), [...path, table]);
        if (found) return found;
      }
      return undefined;
    };
    const path = follow(readTables(policy), []);
    return path && `reads ${path.map((table) => tables.get(table)).join(', whose policy reads ')}`;
  },
};

function readTables({ using, check }: Policy): string[] {
  return [using, check]
    .flatMap((one): Node[] => (one ? descendants(one) : []))
    .filter(({ kind }) => kind === 'QUERY')
    .flatMap(({ fields }) => nodes(fields.rtable))
    .filter(({ fields }) => fields.rtekind === '0')
    .map(({ fields }) => String(fields.relid));
}
