import { conjuncts, descendants, isNode, type Node, nodes } from '../postgres/nodeTree.ts';
import { allowed } from './allowed.ts';
import type { Body } from './bodies.ts';
import { readsTenant } from './identities.ts';
import { TRUE } from './logic.ts';
import type { Policy, PolicyFacts, TableRead, TrustedRows } from './policies.ts';
import { type Column, columnsIn, queryParts } from './subquery.ts';

// Finds the rows that policies of other tables rely on, such as memberships. A user who may write such a row can grant access.

/**
 * Finds the rows that policies rely on: if the subquery or function that reads them could have any result, the policy
 * would allow rows of other tenants.
 */
export function findTrustedRows(facts: PolicyFacts, policies: readonly Policy[]): ReadonlyMap<string, TrustedRows> {
  const found = new Map<string, { by: string; columns: Set<number> }>();
  const add = (by: string, table: string, columns: readonly number[]) => {
    const rows = found.get(table) ?? { by, columns: new Set() };
    for (const column of columns) rows.columns.add(column);
    found.set(table, rows);
  };
  for (const policy of policies) {
    if (!policy.permissive) continue;
    const all = [policy.using, policy.check].filter(isNode).flatMap(descendants);
    const isDecisive = (assumed: Partial<PolicyFacts>) => {
      const { read, written } = allowed(policy, 'foreign row', { ...facts, ...assumed });
      return Boolean((read | written) & TRUE);
    };
    for (const sublink of all.filter(({ kind }) => kind === 'SUBLINK')) {
      const reads = readsOfQuery(sublink, facts);
      if (reads.length === 0 || !isDecisive({ assumed: sublink })) continue;
      for (const { table, columns } of reads) add(policy.object, table, columns);
    }
    for (const oid of new Set(all.map(({ fields }) => String(fields.funcid)))) {
      const called = facts.functions.get(oid);
      const reads = facts.readsOfFunctions.get(oid) ?? [];
      if (!called || called.identities.length === 0 || reads.length === 0) continue;
      const functions = new Map(facts.functions).set(oid, { ...called, identities: [] });
      if (!isDecisive({ functions })) continue;
      for (const read of reads) {
        const columns = columnsOfFunction(read, facts);
        if (columns) add(policy.object, read.table, columns);
      }
    }
  }
  return found;
}

/**
 * The tables of a subquery whose rows are the user's by a column that is not their key, with the columns that it reads.
 * A parent that the row references by its key is none of them: nobody can add another row with that key. Neither is a
 * row with the same owner.
 */
function readsOfQuery(sublink: Node, facts: PolicyFacts): { table: string; columns: number[] }[] {
  const { targets, conditions, tables } = queryParts(sublink);
  const isSelected = sublink.fields.subLinkType !== '0';
  return tables.flatMap((table, index) => {
    if (!facts.tables.has(table)) return [];
    const own = (node: Node) => columnsIn(node).filter((column) => column.up === 0 && column.table === index + 1);
    const equalities = conditions.flatMap(conjuncts).filter(({ kind, fields }) => isEquality(kind, fields, facts));
    const ofUser = new Set(
      equalities.flatMap((one) => {
        const [left, right] = nodes(one.fields.args) as [Node, Node];
        const sides = [left, right].filter((side) => readsTenant(side, facts) && columnsIn(side).length === 0);
        return sides.length > 0 ? own(one).map(numberOf) : [];
      }),
    );
    const isOfUser = (column: Column) => ofUser.has(numberOf(column));
    const owner = facts.owners.get(table);
    if (ofUser.size === 0 && owner) ofUser.add(owner.attnum);
    if (ofUser.size === 0) return [];
    const linked = [
      ...equalities.filter((one) => columnsIn(one).length > own(one).length).flatMap(own),
      ...(isSelected ? targets.flatMap(own) : []),
    ]
      .filter((column) => !isOfUser(column))
      .map(numberOf);
    const isOwned = equalities.some((one) => columnsIn(one).some(({ up }) => up > 0) && own(one).some(isOfUser));
    const isByKey = facts.keys.get(table)?.some((key) => key.every((column) => linked.includes(column)));
    if (isOwned || isByKey) return [];
    const read = [...conditions, ...(isSelected ? targets : [])].flatMap(own).map(numberOf);
    return [{ table, columns: read.filter((column) => !ofUser.has(column)) }];
  });
}

/** The columns of a table that a function relies on. Undefined if it finds the row by a key that nobody can repeat. */
function columnsOfFunction({ table, columns }: TableRead, facts: PolicyFacts): number[] | undefined {
  if (!facts.tables.has(table)) return undefined;
  const keyOf = (column: number) => `${table}.${column}`;
  const named =
    columns instanceof Set
      ? [...facts.columns].flatMap(([key, name]) => {
          const [of, number] = key.split('.');
          return of === table && columns.has(name) ? [Number(number)] : [];
        })
      : [...(columns as readonly number[])];
  const read = named.filter((column) => column !== facts.owners.get(table)?.attnum);
  const isUnique = (column: number) => facts.unique.has(keyOf(column));
  if (read.some(isUnique) && !read.some((column) => facts.identifying.has(keyOf(column)))) return undefined;
  return read.filter((column) => !isUnique(column));
}

/** Finds the tables that functions read, directly or through other functions. The keys are oids. */
export function findReads(bodies: ReadonlyMap<string, Body>): ReadonlyMap<string, readonly TableRead[]> {
  const collect = (oid: string, seen: Set<string>): TableRead[] => {
    const body = bodies.get(oid);
    if (!body || seen.has(oid)) return [];
    seen.add(oid);
    const own = (body.selects ?? []).map(({ relation, columns }) => ({ table: relation, columns }));
    const words = body.words;
    const ofText = words ? body.relations.flat().map((table) => ({ table, columns: words })) : [];
    return [...own, ...ofText, ...[...body.calls, ...body.relations].flat().flatMap((used) => collect(used, seen))];
  };
  return new Map([...bodies].flatMap(([oid, { kind }]) => (kind === 'view' ? [] : [[oid, collect(oid, new Set())]])));
}

const numberOf = ({ attnum }: Column) => Number(attnum);

function isEquality(kind: string, fields: Node['fields'], { operators }: PolicyFacts): boolean {
  return kind === 'OPEXPR' && operators.get(String(fields.opno)) === '=' && nodes(fields.args).length === 2;
}
