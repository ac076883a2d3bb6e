import { descendants, type Node, nodes } from '../linter/nodeTree.ts';
import type { Policy, PolicyFacts } from '../linter/policies.ts';
import type { PolicyRule } from '../linter/rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy reads its own table, which Postgres refuses as infinite recursion',
  judge: (policy, { policies, tables, uses }) => {
    const seen = new Set<string>();
    // Reading a table asks the policies for select.
    const follow = (read: readonly string[], path: readonly string[]): readonly string[] | undefined => {
      for (const table of read) {
        if (table === policy.table) return [...path, table];
        if (seen.has(table)) continue;
        seen.add(table);
        const asked = policies.filter((one) => one.table === table && /^(select|all)$/.test(one.command));
        const found = follow(
          asked.flatMap((one) => readTables(one, uses)),
          [...path, table],
        );
        if (found) return found;
      }
      return undefined;
    };
    const path = follow(readTables(policy, uses), []);
    return path && `reads ${path.map((table) => tables.get(table)).join(', whose policy reads ')}`;
  },
};

/** The tables that a policy reads: itself, and by the views and functions in it. */
function readTables({ using, check }: Policy, uses: PolicyFacts['uses']): string[] {
  const all = [using, check].flatMap((one): Node[] => (one ? descendants(one) : []));
  const read = all
    .filter(({ kind }) => kind === 'QUERY')
    .flatMap(({ fields }) => nodes(fields.rtable))
    .filter(({ fields }) => fields.rtekind === '0')
    .map(({ fields }) => String(fields.relid));
  const called = all.flatMap(({ fields }) => [fields.funcid, fields.opfuncid]).map(String);
  return [...read, ...[...read, ...called].flatMap((oid) => uses.get(oid) ?? [])];
}
