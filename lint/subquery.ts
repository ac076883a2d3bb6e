import { children, conjuncts, isNode, type Node, nodes, type Value } from '../postgres/nodeTree.ts';

/** The parts of a query that outcomes.ts evaluates. */
export interface QueryParts {
  /** The selected expressions. */
  readonly targets: readonly Node[];
  /** Conditions that are true for every selected row. */
  readonly conditions: readonly Node[];
  /** Whether it has a FROM clause. */
  readonly fromRows: boolean;
  /** The oids of its tables, at the index of their number in VAR minus 1. Empty for other entries. */
  readonly tables: readonly string[];
  /** The oids of its functions in FROM, in the same order. Empty for other entries. */
  readonly functions: readonly string[];
  /** False if it can return rows that do not satisfy its conditions: for set operations, aggregates and grouping. */
  readonly understood: boolean;
}

/** Reads the parts of the query of a SUBLINK. */
export function queryParts(sublink: Node): QueryParts {
  const { fields } = sublink.fields.subselect as Node;
  const jointree = fields.jointree as Node | null;
  const from = nodes(jointree?.fields.fromlist);
  return {
    targets: nodes(fields.targetList).map((target) => target.fields.expr as Node),
    conditions: [jointree?.fields.quals, ...from.flatMap(joinConditions)].filter(isNode).flatMap(conjuncts),
    fromRows: from.length > 0,
    tables: nodes(fields.rtable).map(({ fields: { rtekind, relid } }) => (rtekind === '0' ? String(relid) : '')),
    functions: nodes(fields.rtable).map(({ fields: { functions } }) =>
      String(nodes(functions).map(({ fields: { funcexpr } }) => (funcexpr as Node | null)?.fields.funcid)[0] ?? ''),
    ),
    understood:
      fields.setOperations === null &&
      fields.hasAggs === 'false' &&
      fields.groupingSets === null &&
      fields.havingQual === null,
  };
}

/** The conditions of inner joins. The conditions of outer joins do not filter rows. */
function joinConditions({ kind, fields }: Node): Node[] {
  if (kind !== 'JOINEXPR' || fields.jointype !== '0') return [];
  const parts = [fields.larg, fields.rarg].filter(isNode).flatMap(joinConditions);
  return isNode(fields.quals) ? [fields.quals, ...parts] : parts;
}

export interface Column {
  /** The number of query levels between the expression and the table. */
  readonly up: number;
  /** The number of the table in VAR nodes. */
  readonly table: number;
  readonly attnum: string;
}

/** The columns that an expression reads, except the columns of tables inside its subqueries. */
export function columnsIn(expression: Node): Column[] {
  const within = (node: Node, depth: number): Column[] => {
    const { varlevelsup, varno, varattno } = node.fields;
    const up = Number(varlevelsup) - depth;
    if (node.kind === 'VAR') return up >= 0 ? [{ up, table: Number(varno), attnum: String(varattno) }] : [];
    return children(node).flatMap((child) => within(child, child.kind === 'QUERY' ? depth + 1 : depth));
  };
  return within(expression, 0);
}

/** Whether the query of a SUBLINK reads a column of an outer query, so Postgres runs it for each outer row. */
export function isCorrelated(sublink: Node): boolean {
  return columnsIn(sublink.fields.subselect as Node).some(({ up }) => up > 0);
}

/** Moves an expression one subquery level down. It still reads the same columns. */
export function nestOneLevel(expression: Node): Node {
  const shift = (value: Value, depth: number): Value => {
    if (Array.isArray(value)) return value.map((one) => shift(one, depth));
    if (!isNode(value)) return value;
    const { kind, fields } = value;
    const inside = kind === 'QUERY' ? depth + 1 : depth;
    const shifted = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, shift(one, inside)]));
    return kind === 'VAR' && Number(fields.varlevelsup) >= depth
      ? { kind, fields: { ...shifted, varlevelsup: String(Number(fields.varlevelsup) + 1) } }
      : { kind, fields: shifted };
  };
  return shift(expression, 0) as Node;
}
