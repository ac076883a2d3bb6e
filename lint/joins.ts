import { conjuncts, isNode, type Node, nodes } from '../postgres/nodeTree.ts';
import { columnsIn, isCorrelated } from './subquery.ts';

/**
 * The relation between the tenant and a row of a subquery's table:
 *
 * - `own`: a column equals the tenant, or a key of another own row.
 * - `determined`: the key of the row equals a column of the tenant's rows, as the key of a team equals the team of a
 *   membership.
 * - `child`: another column equals a column of the tenant's rows, as in memberships of other members of the team. Only
 *   the key of such a row belongs to the tenant, not the targets of its foreign keys.
 * - `membership`: a column equals the identity of the other kind, as the user of a membership. The row belongs to that
 *   user. Its references to organizations belong to the tenant, but not its key.
 */
export type Ownership = 'child' | 'membership' | 'determined' | 'own';

interface Columns {
  /** The number of the table in VAR nodes, if the value is a column of this query. */
  tableOf(value: string): number | undefined;
  /** Whether the value has a unique index of its own. */
  isUnique(value: string): boolean;
  /** Whether the value references a unique column of another table. */
  isReference(value: string): boolean;
}

/** A row keeps the strongest relation found. */
const rank = { child: 1, membership: 2, determined: 3, own: 4 } as const;

/**
 * Follows the equalities of a query from rows of the tenant to the rows joined with them, until a fixed point.
 *
 * @param equalities groups of values that are equal in every row of the query, such as columns.
 * @param identities the values that represent the tenant and the identity of the other kind.
 * @param direct the tables that a condition restricts to the tenant without a join.
 * @returns a predicate: whether a value can only come from rows of the tenant.
 */
export function followJoins(
  equalities: readonly (readonly string[])[],
  { tenant, member }: { readonly tenant: string; readonly member: string },
  direct: ReadonlyMap<number, Ownership>,
  { tableOf, isUnique, isReference }: Columns,
): (value: string) => boolean {
  const classes = equalityClasses(equalities);
  const rows = new Map(direct);
  const ownershipOf = (value: string) => rows.get(tableOf(value) ?? -1);
  const isOwn = (all: ReadonlySet<string>) =>
    [...all].some((one) => one === tenant || (isUnique(one) && ownershipOf(one) === 'own'));
  const isOfTenant = (all: ReadonlySet<string>) =>
    isOwn(all) ||
    [...all].some((one) => {
      const row = ownershipOf(one);
      const isKey = isUnique(one) && row !== 'membership';
      return row !== undefined && (isKey || (isReference(one) && row !== 'child'));
    });
  for (let changed = true; changed; ) {
    changed = false;
    for (const all of new Set(classes.values())) {
      const isOther = !isOfTenant(all);
      if (isOther && !all.has(member)) continue;
      for (const one of all) {
        const table = tableOf(one);
        const found = isOther ? 'membership' : isOwn(all) ? 'own' : isUnique(one) ? 'determined' : 'child';
        const before = table === undefined ? undefined : rows.get(table);
        if (table === undefined || (before !== undefined && rank[before] >= rank[found])) continue;
        rows.set(table, found);
        changed = true;
      }
    }
  }
  return (value) => isOfTenant(classes.get(value) ?? new Set([value]));
}

/** Maps each value to its equivalence class. */
function equalityClasses(equalities: readonly (readonly string[])[]): Map<string, Set<string>> {
  const classes = new Map<string, Set<string>>();
  for (const equal of equalities) {
    const merged = new Set(equal.flatMap((one) => [one, ...(classes.get(one) ?? [])]));
    for (const one of merged) classes.set(one, merged);
  }
  return classes;
}

/** The parts of a subquery that affect its result for an outer row. */
export interface Connected {
  readonly expressions: readonly Node[];
  /** The oids of tables. */
  readonly tables: readonly string[];
}

/**
 * Finds the expressions and tables of a SUBLINK that a chain of conditions connects with the outer row. The other
 * parts, such as a table joined `on true`, do not affect that row.
 */
export function connectedWithRow(sublink: Node): Connected {
  const query = sublink.fields.subselect as Node;
  const { fields } = query;
  const entries = nodes(fields.rtable);
  const oids = entries.map(({ fields: { rtekind, relid } }) => (rtekind === '0' ? String(relid) : ''));
  if (fields.setOperations !== null)
    return { expressions: [query, sublink.fields.testexpr].filter((one) => isNode(one)), tables: oids };
  const targets = nodes(fields.targetList).map((target) => target.fields.expr as Node);
  const { testexpr } = sublink.fields;
  const comparesRow = isNode(testexpr) && columnsIn(testexpr).length > 0;
  const links = [...joinedBy(fields.jointree as Node), fields.havingQual].filter(isNode).flatMap(conjuncts).map(linkOf);
  const selected = targets.flatMap((target) => linkOf(target).tables);
  links.push(...targets.map(linkOf));
  if (isNode(testexpr)) links.push({ expression: testexpr, tables: selected, isOutside: false });
  const used = new Set(links.flatMap(({ tables }) => tables));
  for (const [index, entry] of entries.entries()) {
    const number = index + 1;
    const { rtekind } = entry.fields;
    if (rtekind === '0' || (rtekind === '2' && !used.has(number))) continue;
    for (const expression of rtekind === '6' ? nodes(fields.cteList) : [entry]) {
      const link = linkOf(expression);
      links.push({ ...link, tables: [number, ...link.tables] });
    }
  }
  const isSelected = comparesRow || (/^[46]$/.test(String(sublink.fields.subLinkType)) && !isCorrelated(sublink));
  const connected = new Set(isSelected ? selected : []);
  const isConnected = ({ tables, isOutside }: Link) => isOutside || tables.some((one) => connected.has(one));
  for (let size = -1; size !== connected.size; ) {
    size = connected.size;
    for (const link of links) if (isConnected(link)) for (const table of link.tables) connected.add(table);
  }
  const hasNoColumns = isSelected && selected.length === 0;
  return {
    expressions: [...links.filter(isConnected).map(({ expression }) => expression), ...(hasNoColumns ? targets : [])],
    tables: [...connected].flatMap((number) => oids[number - 1] || []),
  };
}

interface Link {
  readonly expression: Node;
  /** The numbers of the tables of this query that it reads. */
  readonly tables: readonly number[];
  /** Whether it reads a column of an outer query. */
  readonly isOutside: boolean;
}

function linkOf(expression: Node): Link {
  const columns = columnsIn(expression);
  return {
    expression,
    tables: columns.flatMap(({ up, table }) => (up === 0 ? [table] : [])),
    isOutside: columns.some(({ up }) => up > 0),
  };
}

/** The conditions of a FROM clause, including those of outer joins. */
function joinedBy({ fields }: Node): Node[] {
  const inside = [...nodes(fields.fromlist), fields.larg, fields.rarg].filter(isNode);
  return [fields.quals, ...inside.filter(({ kind }) => kind === 'JOINEXPR').flatMap(joinedBy)].filter(isNode);
}
