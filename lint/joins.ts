import { conjuncts, isNode, type Node, nodes } from './nodeTree.ts';
import { columnsIn, isCorrelated } from './subquery.ts';

/**
 * How a row of a subquery's table belongs to the tenant. `own`: a column equals the tenant, or a key of such a row.
 * `determined`: its key equals a column of the tenant's rows, as a membership's team. `child`: another column does, so that
 * only its key is known to be the tenant's, and not what it refers to: rows of other members of the team.
 */
export type Belonging = 'child' | 'determined' | 'own';

interface Columns {
  /** The table's number in VAR, if the value is a column of the query itself. */
  tableOf(value: string): number | undefined;
  /** No two rows have the same. */
  isUnique(value: string): boolean;
  /** It refers to a unique column of another table. */
  isReference(value: string): boolean;
}

const rank = { child: 1, determined: 2, own: 3 } as const;

/**
 * Follows the equalities of a query from rows of the tenant to the rows joined with them, until nothing changes.
 *
 * @param equalities values that are equal in every row of the query, such as columns.
 * @param tenant the value that stands for the tenant.
 * @param direct the tables that a condition binds to the tenant without a join.
 * @returns whether a value can only be one of the tenant's rows.
 */
export function followJoins(
  equalities: readonly (readonly string[])[],
  tenant: string,
  direct: ReadonlyMap<number, Belonging>,
  { tableOf, isUnique, isReference }: Columns,
): (value: string) => boolean {
  const classes = equalityClasses(equalities);
  const rows = new Map(direct);
  const belonging = (value: string) => rows.get(tableOf(value) ?? -1);
  const isOwn = (all: ReadonlySet<string>) =>
    [...all].some((one) => one === tenant || (isUnique(one) && belonging(one) === 'own'));
  const isOfTenant = (all: ReadonlySet<string>) =>
    isOwn(all) ||
    [...all].some((one) => {
      const row = belonging(one);
      return row !== undefined && (isUnique(one) || (isReference(one) && row !== 'child'));
    });
  for (let changed = true; changed; ) {
    changed = false;
    for (const all of new Set(classes.values())) {
      if (!isOfTenant(all)) continue;
      for (const one of all) {
        const table = tableOf(one);
        const found = isOwn(all) ? 'own' : isUnique(one) ? 'determined' : 'child';
        const before = table === undefined ? undefined : rows.get(table);
        if (table === undefined || (before !== undefined && rank[before] >= rank[found])) continue;
        rows.set(table, found);
        changed = true;
      }
    }
  }
  return (value) => isOfTenant(classes.get(value) ?? new Set([value]));
}

/** The values that equal each value, by the value. */
function equalityClasses(equalities: readonly (readonly string[])[]): Map<string, Set<string>> {
  const classes = new Map<string, Set<string>>();
  for (const equal of equalities) {
    const merged = new Set(equal.flatMap((one) => [one, ...(classes.get(one) ?? [])]));
    for (const one of merged) classes.set(one, merged);
  }
  return classes;
}

/** The parts of a subquery that its answer about a row depends on. */
export interface Connected {
  readonly expressions: readonly Node[];
  /** The oids of tables. */
  readonly tables: readonly string[];
}

/**
 * The expressions and tables of a SUBLINK that a chain of conditions connects with the row around it. The rest, such as a
 * table that is joined `on true`, says nothing of that row.
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
  const isBare = isSelected && selected.length === 0;
  return {
    expressions: [...links.filter(isConnected).map(({ expression }) => expression), ...(isBare ? targets : [])],
    tables: [...connected].flatMap((number) => oids[number - 1] || []),
  };
}

interface Link {
  readonly expression: Node;
  /** The numbers of the query's tables in it. */
  readonly tables: readonly number[];
  /** It has a column of a query around it. */
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

/** The conditions of a FROM clause, of outer joins, too. */
function joinedBy({ fields }: Node): Node[] {
  const inside = [...nodes(fields.fromlist), fields.larg, fields.rarg].filter(isNode);
  return [fields.quals, ...inside.filter(({ kind }) => kind === 'JOINEXPR').flatMap(joinedBy)].filter(isNode);
}
