import { descendants, type Node, nodes } from '../../postgres/nodeTree.ts';
import type { Policy, PolicyFacts } from '../policies.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy reads its own table or calls a function without end, so Postgres rejects its statements',
  judge: (policy, facts) => {
    const { policies, tables, uses } = facts;
    const seen = new Set<string>();
    // Reading a table evaluates its policies for select.
    const follow = (read: readonly string[], path: readonly string[]): readonly string[] | undefined => {
      for (const table of read) {
        if (table === policy.table) return [...path, table];
        if (seen.has(table)) continue;
        seen.add(table);
        const applied = policies.filter((one) => one.table === table && /^(select|all)$/.test(one.command));
        const found = follow(
          applied.flatMap((one) => readTables(one, uses)),
          [...path, table],
        );
        if (found) return found;
      }
      return undefined;
    };
    const isWrite = !/^(select|all)$/.test(policy.command);
    // The policies for select restrict the table inside the policy. Postgres rejects them there only if they have a
    // subquery. A function runs queries of its own.
    const isHarmless = isWrite && !policies.some((one) => one.table === policy.table && hasSubquery(one));
    const read = isWrite ? readByQueries(policy, uses) : readTables(policy, uses);
    const path = isHarmless ? undefined : follow(read, []);
    if (path) {
      const chain = path.map((table) => tables.get(table)).join(', whose policy reads ');
      return `reads ${chain}, which Postgres rejects as infinite recursion: read only tables whose policies do not lead back`;
    }
    const called = calledBy(policy);
    const endless = [...called, ...called.flatMap((oid) => uses.get(oid) ?? [])].find((oid) => facts.endless.has(oid));
    return (
      endless &&
      `calls ${facts.names.get(endless)}, which calls itself without end, so every statement that uses the policy fails: add a condition that ends it`
    );
  },
};

/** The tables that a policy reads, directly or through its views and functions. */
function readTables(policy: Expressions, uses: PolicyFacts['uses']): string[] {
  return [...readByQueries(policy, uses), ...calledBy(policy).flatMap((oid) => uses.get(oid) ?? [])];
}

/** The tables that the subqueries of a policy read, directly or through views. */
function readByQueries({ using, check }: Expressions, uses: PolicyFacts['uses']): string[] {
  const all = [using, check].flatMap((one): Node[] => (one ? descendants(one) : []));
  const read = all
    .filter(({ kind }) => kind === 'QUERY')
    .flatMap(({ fields }) => nodes(fields.rtable))
    .filter(({ fields }) => fields.rtekind === '0')
    .map(({ fields }) => String(fields.relid));
  return [...read, ...read.flatMap((oid) => uses.get(oid) ?? [])];
}

function hasSubquery({ using, command }: Policy): boolean {
  return /^(select|all)$/.test(command) && using !== null && descendants(using).some(({ kind }) => kind === 'SUBLINK');
}

type Expressions = Pick<Policy, 'using' | 'check'>;

/** The oids of the functions that a policy calls, directly, as operators or as aggregates. */
function calledBy({ using, check }: Expressions): string[] {
  return [using, check]
    .flatMap((one): Node[] => (one ? descendants(one) : []))
    .flatMap(({ fields }) => [fields.funcid, fields.opfuncid, fields.aggfnoid, fields.winfnoid])
    .map(String);
}
