import { children, conjuncts, isNode, type Node, nodes, type Value } from './nodeTree.ts';

export interface QueryParts {
  /** What it selects. */
  readonly targets: readonly Node[];
  /** What holds of every row that it selects from. */
  readonly conditions: readonly Node[];
  /** Whether it selects from anything. */
  readonly fromRows: boolean;
  /** The oids of the tables in it, by their number in VAR less one; empty for what is no table. */
  readonly tables: readonly string[];
  /** In the same way, the oids of the functions whose rows it selects from. */
  readonly functions: readonly string[];
  /** False for what selects rows that its conditions do not hold of: unions, and aggregates of no rows. */
  readonly understood: boolean;
}

/** The parts of a SUBLINK's query. */
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

/** The conditions of inner joins; those of outer joins do not keep rows out. */
function joinConditions({ kind, fields }: Node): Node[] {
  if (kind !== 'JOINEXPR' || fields.jointype !== '0') return [];
  const parts = [fields.larg, fields.rarg].filter(isNode).flatMap(joinConditions);
  return isNode(fields.quals) ? [fields.quals, ...parts] : parts;
}

export interface Column {
  /** How many queries further out its table is. */
  readonly up: number;
  /** The table's number in VAR. */
  readonly table: number;
  readonly attnum: string;
}

/** The columns in an expression, except those of the subqueries in it. */
export function columnsIn(expression: Node): Column[] {
  const within = (node: Node, depth: number): Column[] => {
    const { varlevelsup, varno, varattno } = node.fields;
    const up = Number(varlevelsup) - depth;
    if (node.kind === 'VAR') return up >= 0 ? [{ up, table: Number(varno), attnum: String(varattno) }] : [];
    return children(node).flatMap((child) => within(child, child.kind === 'QUERY' ? depth + 1 : depth));
  };
  return within(expression, 0);
}

/** Whether a SUBLINK's query has a column of the queries around it, so that it is run for each of their rows. */
export function isCorrelated(sublink: Node): boolean {
  return columnsIn(sublink.fields.subselect as Node).some(({ up }) => up > 0);
}

/** The expression one subquery deeper, with the same columns in it. */
export function deeper(expression: Node): Node {
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
