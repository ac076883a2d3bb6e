import { children, isNode, type Node, nodes, type Value } from '../postgres/nodeTree.ts';
import { isReadAsTime } from './treeReads.ts';

/** Facts about user-defined functions, by oid. */
export interface FunctionsOfTime {
  /** Whether the result depends on the time and on no row. */
  readonly isClock: (oid: string) => boolean;
  readonly readsRows: (oid: string) => boolean;
}

/** The oids of now() and similar functions, timeofday(), and age() with one argument. */
const clocks = ['1299', '2647', '2648', '2649', '274', '1386', '2059'];
/** The first SQLValueFunctionOp that is not a time. */
const firstOther = 9;
const boolean = '16';

/** The kinds of values that an expression depends on. */
interface Contents {
  time: boolean;
  row: boolean;
  /** A column of the enclosing sublink, which isByTime() judges together with the sublink. */
  sublink: boolean;
}

/**
 * Whether a condition in an expression or a query depends on the time but on no value of a row, so it is true or false
 * for all rows at once. Columns of subqueries, functions and VALUES are traced to the expressions that produce them.
 */
export function decidesByTime(tree: Value, functions: FunctionsOfTime): boolean {
  const visit = (node: Node, queries: readonly Node[]): boolean => {
    const around = node.kind === 'QUERY' ? [node, ...queries] : queries;
    if (node.kind === 'QUERY') {
      for (const limit of [node.fields.limitCount, node.fields.limitOffset])
        if (isNode(limit) && isByTime(limit, around, functions)) return true;
    } else if (/^CASE(EXPR)?$/.test(node.kind) && isNode(node.fields.arg)) {
      // The branches of `case value when …` compare a placeholder, so check the value itself.
      if (isByTime(node.fields.arg, around, functions)) return true;
    } else if (isCondition(node) && isByTime(node, around, functions)) return true;
    return children(node).some((child) => visit(child, around));
  };
  return (isNode(tree) ? [tree] : nodes(tree)).some((node) => visit(node, []));
}

function isCondition({ kind, fields }: Node): boolean {
  if (kind === 'OPEXPR') return fields.opresulttype === boolean;
  if (kind === 'FUNCEXPR') return fields.funcresulttype === boolean;
  if (kind === 'COERCEVIAIO') return fields.resulttype === boolean;
  if (kind === 'SUBSCRIPTINGREF') return fields.refrestype === boolean;
  // ALL, ANY, a comparison of rows, EXISTS
  if (kind === 'SUBLINK') return ['0', '1', '2', '3'].includes(String(fields.subLinkType));
  return /^(DISTINCTEXPR|SCALARARRAYOPEXPR|NULLTEST|ROWCOMPARE(EXPR)?)$/.test(kind);
}

function isByTime(node: Node, queries: readonly Node[], functions: FunctionsOfTime): boolean {
  // The current time is never null.
  if (node.kind === 'NULLTEST' && isNode(node.fields.arg) && isClock(node.fields.arg)) return false;
  const found: Contents = { time: false, row: false, sublink: false };
  collect(node, queries, functions, found, 0);
  return found.time && !found.row && (!found.sublink || node.kind === 'SUBLINK');
}

const isClock = ({ kind, fields }: Node) =>
  (kind === 'SQLVALUEFUNCTION' && Number(fields.op) < firstOther) ||
  (kind === 'FUNCEXPR' && clocks.includes(String(fields.funcid)));

/** Adds the dependencies of `node` to `found`. */
function collect(
  node: Node,
  queries: readonly Node[],
  functions: FunctionsOfTime,
  found: Contents,
  depth: number,
): void {
  const { kind, fields } = node;
  const collectAll = (more: readonly Node[], around = queries) => {
    for (const one of more) collect(one, around, functions, found, depth + 1);
  };
  for (const oid of [fields.funcid, fields.opfuncid, fields.aggfnoid].map(String)) {
    if (functions.isClock(oid)) found.time = true;
    if (functions.readsRows(oid)) found.row = true;
  }
  if (isClock(node) || isReadAsTime(node)) found.time = true;
  if (kind === 'VAR') {
    const origin = depth < 50 ? originOf(node, queries) : undefined;
    if (origin) collectAll(...origin);
    else found.row = true;
  } else if (kind === 'PARAM') {
    if (fields.paramkind === '2') found.sublink = true;
    else found.row = true;
  } else if (kind === 'QUERY') {
    const around = [node, ...queries];
    collectAll([...nodes(fields.targetList), ...[fields.limitCount, fields.limitOffset].filter(isNode)], around);
    // Functions in FROM produce the rows.
    for (const table of nodes(fields.rtable)) collectAll(nodes(table.fields.functions), queries);
  } else if (kind === 'SUBLINK' && fields.subLinkType === '0') {
    const query = fields.subselect as Node;
    collectAll([query]);
    if (nodes(query.fields.rtable).some((table) => table.fields.rtekind === '0')) found.row = true;
  } else if (kind === 'AGGREF' && nodes(fields.args).length === 0) {
    // An aggregate without arguments counts rows.
    found.row = true;
  } else collectAll(children(node));
}

/**
 * The expressions that produce a column of a subquery, with their enclosing queries. Undefined for a column of a table.
 */
function originOf({ fields }: Node, queries: readonly Node[]): [Node[], readonly Node[]] | undefined {
  const level = Number(fields.varlevelsup);
  const around = queries.slice(level);
  const table = nodes(around[0]?.fields.rtable)[Number(fields.varno) - 1];
  const place = Number(fields.varattno);
  if (table === undefined) return undefined;
  const { rtekind, subquery, functions, values_lists, ctename, ctelevelsup, joinaliasvars, groupexprs } = table.fields;
  const ofQuery = (query: Node, outer: readonly Node[]): [Node[], readonly Node[]] => {
    const columns = nodes(query.fields.targetList);
    // The columns of a set operation come from each of its queries.
    const all = isNode(query.fields.setOperations) ? nodes(query.fields.rtable) : [];
    const columnsOf = (one: Node) =>
      nodes(one.fields.targetList).filter(({ fields: of }) => place <= 0 || of.resno === String(place));
    return all.length > 0
      ? [all.flatMap(({ fields: of }) => (isNode(of.subquery) ? [of.subquery] : [])), [query, ...outer]]
      : [columns.length > 0 ? columnsOf(query) : [query], [query, ...outer]];
  };
  switch (rtekind) {
    case '1':
      return isNode(subquery) ? ofQuery(subquery, around) : undefined;
    case '2':
      return [nodes(joinaliasvars).slice(place - 1, place), around];
    case '3':
      return [nodes(functions), around];
    case '5':
      return [Array.isArray(values_lists) ? values_lists.flatMap(nodes) : [], around];
    case '6': {
      const outer = around.slice(Number(ctelevelsup));
      const cte = nodes(outer[0]?.fields.cteList).find(({ fields: of }) => of.ctename === ctename);
      return isNode(cte?.fields.ctequery) ? ofQuery(cte.fields.ctequery, outer) : undefined;
    }
    case '9':
      return [nodes(groupexprs).slice(place - 1, place), around];
    default:
      return undefined;
  }
}
