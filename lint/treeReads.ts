import { children, descendants, isNode, type Node, nodes, parseNodeTree, type Value } from '../postgres/nodeTree.ts';

/** Objects that an expression or a query refers to, according to its node tree. */
export interface TreeReads {
  /** The oids of the functions that it calls, directly, as operators or as aggregates. */
  readonly functions: readonly string[];
  /** The oids of the relations that it reads or writes. */
  readonly relations: readonly string[];
  /** Selected relations and columns. Column 0 is the whole row. Without columns, the query only counts rows. */
  readonly selects: readonly { readonly relation: string; readonly columns: readonly number[] }[];
  /** Settings that it reads. `undefined` stands for a computed name. */
  readonly settings: readonly (string | undefined)[];
  /**
   * Keywords with a value of the session, such as session_user, and settings that affect the text form of constants.
   */
  readonly keywords: readonly string[];
  /** Whether it contains a keyword such as current_timestamp, or a text read as the current time. */
  readonly tellsTime: boolean;
}

// The values of SQLValueFunctionOp in Postgres, from `firstKeyword` on. The values before it are times.
const keywords = ['current_role', 'current_user', 'user', 'session_user', 'current_catalog', 'current_schema'];
const firstKeyword = 9;

/** current_setting(text) and current_setting(text, boolean). */
const currentSetting = ['2077', '3294'];

/** date, time, timestamp, timestamptz, timetz */
const times = ['1082', '1083', '1114', '1184', '1266'];
/** Texts that Postgres interprets as the current time. */
export const currentTime = /^\s*(now|today|tomorrow|yesterday)\b/i;

/**
 * Reads a node tree.
 *
 * @param tree a pg_node_tree of an expression, a query, or a list of queries.
 */
export function readTree(tree: string): TreeReads {
  const all = nodesOf(parseNodeTree(tree));
  const values = all.filter(({ kind }) => kind === 'SQLVALUEFUNCTION').map(({ fields }) => Number(fields.op));
  return {
    functions: all.flatMap(calledBy),
    relations: all.flatMap(({ kind, fields }) =>
      kind === 'RANGETBLENTRY' && typeof fields.relid === 'string' && fields.relid !== '0' ? [fields.relid] : [],
    ),
    selects: all.flatMap(selectedFrom),
    settings: all.flatMap((node) => {
      const setting = currentSettingOf(node);
      return setting ? [setting.name?.toLowerCase()] : [];
    }),
    keywords: [...values.flatMap((value) => keywords[value - firstKeyword] ?? []), ...all.flatMap(outputSettingOf)],
    tellsTime: values.some((value) => value < firstKeyword) || all.some(isReadAsTime),
  };
}

/** The setting that a node reads, or undefined. The name is undefined if it is computed. */
export function currentSettingOf({ kind, fields }: Node): { readonly name: string | undefined } | undefined {
  return kind === 'FUNCEXPR' && currentSetting.includes(String(fields.funcid))
    ? { name: constantOf(nodes(fields.args)[0]) }
    : undefined;
}

/** The oids of the functions that a node calls. */
function calledBy({ fields }: Node): string[] {
  return [fields.funcid, fields.opfuncid, fields.aggfnoid, fields.winfnoid].flatMap((oid) =>
    typeof oid === 'string' && oid !== '0' ? [oid] : [],
  );
}

/** Bitmaps of columns in Postgres start at the first system column (FirstLowInvalidHeapAttributeNumber). */
const systemColumns = 7;
const aclSelect = 2;

/**
 * Relations and columns on which Postgres checks the SELECT privilege. Before version 16 the range table entry has
 * them, since then a separate list of permissions.
 */
function selectedFrom({ fields }: Node): { relation: string; columns: number[] }[] {
  const { relid, requiredPerms, selectedCols } = fields;
  if (typeof relid !== 'string' || !Array.isArray(selectedCols) || !(Number(requiredPerms) & aclSelect)) return [];
  const columns = selectedCols.slice(1).map((column) => Number(column) - systemColumns);
  return [{ relation: relid, columns }];
}

function nodesOf(value: Value): Node[] {
  if (isNode(value)) return descendants(value);
  return Array.isArray(value) ? value.flatMap(nodesOf) : [];
}

/** Whether a node converts a text to a time, and the text is or can be `now`. */
export function isReadAsTime({ kind, fields }: Node): boolean {
  if (kind !== 'COERCEVIAIO' || !times.includes(String(fields.resulttype)) || !isNode(fields.arg)) return false;
  const { arg } = fields;
  return arg.kind === 'CONST' ? currentTime.test(constantOf(arg) ?? '') : mayBeNow(arg);
}

const mayBeNow = (node: Node): boolean =>
  node.kind === 'CASETESTEXPR' || node.kind === 'CONST' || (node.kind !== 'SUBLINK' && children(node).some(mayBeNow));

/** Settings that affect the text form of a value, by the oid of its type. */
const outputSettings = new Map([
  ['1184', 'timezone'],
  ['1266', 'timezone'],
  ['1082', 'datestyle'],
  ['1114', 'datestyle'],
  ['790', 'lc_monetary'],
  ['1186', 'intervalstyle'],
  ['17', 'bytea_output'],
  ['700', 'extra_float_digits'],
  ['701', 'extra_float_digits'],
]);
/** Functions of a timestamptz that use the time zone: casts, date_part(), extract(), date_trunc() and to_char(). */
const zoned = ['1178', '2019', '2027', '1388', '1171', '6203', '1217', '1770'];

/** The setting that a conversion of a constant depends on: to or from text, or to the time zone of the session. */
function outputSettingOf({ kind, fields }: Node): string[] {
  if (kind === 'COERCEVIAIO' && isNode(fields.arg) && fields.arg.kind === 'CONST')
    return [
      outputSettings.get(String(fields.arg.fields.consttype)) ?? outputSettings.get(String(fields.resulttype)) ?? [],
    ].flat();
  const args = nodes(fields.args);
  const isZoned = kind === 'FUNCEXPR' && zoned.includes(String(fields.funcid));
  return isZoned && args.every((arg) => arg.kind === 'CONST') ? ['timezone'] : [];
}

/** The value of text constants joined by `||`, or undefined for other expressions. */
export function constantOf(node: Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  const { kind, fields } = node;
  if (kind === 'CONST') return fields.constisnull === 'true' ? undefined : textOf(node);
  if (/^(RELABELTYPE|COERCEVIAIO)$/.test(kind)) return isNode(fields.arg) ? constantOf(fields.arg) : undefined;
  // textcat(text, text)
  if (kind !== 'OPEXPR' || fields.opfuncid !== '1258') return undefined;
  const parts = nodes(fields.args).map(constantOf);
  return parts.every((part) => part !== undefined) ? parts.join('') : undefined;
}

/** The text of a constant of type text. */
export function textOf(constant: Node | undefined): string {
  // The first 4 bytes are the length.
  return constantBytes(constant).subarray(4).toString();
}

/** The bytes of a constant. */
export function constantBytes(constant: Node | undefined): Buffer {
  // Postgres prints signed bytes. Buffer.from() accepts them.
  return Buffer.from((/\[ (.*) \]/.exec(String(constant?.fields.constvalue))?.[1] ?? '').split(' ').map(Number));
}
