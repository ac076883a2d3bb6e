import { children, isNode, type Node, nodes, type Value } from '../postgres/nodeTree.ts';
import { constantBytes, currentSettingOf, textOf } from './treeReads.ts';

/** A use of the value of a setting, or of a function that can return one. */
export interface ValueRead {
  /** The setting, or undefined for a function call. */
  readonly setting?: string;
  /** The candidate oids of the called function. */
  readonly calls?: readonly string[];
  /** The JSON keys that the expression applies to the value, the outermost first. */
  readonly path: readonly string[];
  /** Whether the value is the result of the whole expression, so a caller can read further keys. */
  readonly isResult: boolean;
  /** Whether the expression only tests that a value exists. */
  readonly isCheck: boolean;
  /** Whether it is one of several arguments of coalesce(). */
  readonly isAlternative?: boolean;
}

/** json_object_field(_text) and jsonb_object_field(_text): the operators -> and ->> with a key. */
const fields = ['3947', '3948', '3478', '3214'];
/** json_array_element(_text) and jsonb_array_element(_text): the operators -> and ->> with a number. */
const elements = ['3949', '3950', '3215', '3216'];
/** json_extract_path(_text) and jsonb_extract_path(_text), also as the operators #> and #>>. */
const extractPath = ['3951', '3953', '3217', '3940'];
/** jsonb_exists: the operator `?`. */
const exists = '4047';
/** The first oid of user-defined objects (FirstNormalObjectId). */
const firstOfUsers = 16384;

/** Finds the uses of settings and of user-defined functions in a node tree, with the JSON keys that it reads. */
export function readValues(tree: Value): ValueRead[] {
  const found: ValueRead[] = [];
  const visit = (node: Node, above: readonly Node[]): void => {
    const setting = currentSettingOf(node)?.name?.toLowerCase();
    if (setting !== undefined) found.push({ setting, ...follow(node, above) });
    for (const oid of [node.fields.funcid, node.fields.opfuncid])
      if (Number(oid) >= firstOfUsers) found.push({ calls: [String(oid)], ...follow(node, above) });
    for (const child of children(node)) visit(child, [node, ...above]);
  };
  for (const node of isNode(tree) ? [tree] : nodes(tree)) visit(node, []);
  return found;
}

/** Follows a value through its enclosing expressions, the innermost first. */
function follow(value: Node, above: readonly Node[]): Omit<ValueRead, 'setting' | 'calls'> {
  const path: string[] = [];
  let isAlternative = false;
  let inner = value;
  for (const [index, outer] of above.entries()) {
    const step = keysOf(outer, inner, above[index + 1]);
    if (step === undefined) return { path, isResult: false, isCheck: isCheck(outer, inner), isAlternative };
    path.push(...step.keys);
    if (step.ends) return { path, isResult: false, isCheck: false, isAlternative };
    isAlternative ||= /^COALESCE(EXPR)?$/.test(outer.kind);
    inner = outer;
  }
  return { path, isResult: true, isCheck: false, isAlternative };
}

/** Whether an expression is `is null` or a comparison with the empty string. */
function isCheck({ kind, fields: of }: Node, inner: Node): boolean {
  const others = nodes(of.args).filter((arg) => arg !== inner);
  return kind === 'NULLTEST' || (kind === 'OPEXPR' && others.length === 1 && keyOf(others[0]) === '');
}

/**
 * The JSON keys by which `outer` reads `inner`. Empty if `outer` returns the value of `inner`, and undefined for other
 * expressions.
 */
function keysOf(outer: Node, inner: Node, next: Node | undefined): { keys: string[]; ends?: boolean } | undefined {
  const { kind, fields: of } = outer;
  const passed = { keys: [] };
  if (/^(RELABELTYPE|COERCEVIAIO|COALESCE|COALESCEEXPR|COERCETODOMAIN|TARGETENTRY)$/.test(kind)) return passed;
  if (/^(CASE|CASEEXPR|WHEN|CASEWHEN)$/.test(kind)) return of.expr === inner || of.arg === inner ? undefined : passed;
  const args = nodes(of.args);
  if (kind === 'NULLIFEXPR') return args[0] === inner ? passed : undefined;
  // The query of a scalar sublink or of a function body.
  if (kind === 'QUERY') return next === undefined || next.fields.subselect === outer ? passed : undefined;
  if (kind === 'SUBLINK') return of.subLinkType === '4' ? passed : undefined;
  if (kind === 'SUBSCRIPTINGREF') {
    const keys = nodes(of.refupperindexpr).map(keyOf);
    return of.refexpr === inner && keys.every((key) => key !== undefined) ? { keys } : undefined;
  }
  const called = String(of.funcid ?? of.opfuncid);
  if (args[0] !== inner) return undefined;
  if (elements.includes(called)) return passed;
  if (fields.includes(called) || called === exists) {
    const key = keyOf(args[1]);
    return key === undefined ? undefined : { keys: [key], ends: called === exists };
  }
  if (extractPath.includes(called)) {
    const keys = pathOf(args[1]);
    return keys && { keys };
  }
  // A cast implemented by a function.
  return kind === 'FUNCEXPR' && /^[12]$/.test(String(of.funcformat)) && Number(called) < firstOfUsers
    ? passed
    : undefined;
}

const keyOf = (node: Node | undefined): string | undefined =>
  node?.kind === 'CONST' && node.fields.consttype === '25' ? textOf(node) : undefined;

/** The keys of a path, which is a constant array of texts or an array of constants. */
function pathOf(node: Node | undefined): string[] | undefined {
  if (node === undefined) return undefined;
  if (/^ARRAY(EXPR)?$/.test(node.kind)) {
    const keys = nodes(node.fields.elements).map(keyOf);
    return keys.every((key) => key !== undefined) ? keys : undefined;
  }
  if (node.kind !== 'CONST' || node.fields.consttype !== '1009') return undefined;
  const bytes = constantBytes(node);
  // Only arrays with one dimension and without nulls.
  if (bytes.readInt32LE(4) !== 1 || bytes.readInt32LE(8) !== 0) return undefined;
  const keys: string[] = [];
  for (let at = 24; at + 4 <= bytes.length; ) {
    // Each element is a varlena: the length is in bits 2 and up, or in the upper 7 bits of one byte if it is short.
    const isShort = ((bytes[at] as number) & 1) === 1;
    const length = isShort ? (bytes[at] as number) >> 1 : bytes.readUInt32LE(at) >> 2;
    if (length === 0) return undefined;
    keys.push(bytes.subarray(at + (isShort ? 1 : 4), at + length).toString());
    at += isShort ? length : Math.ceil(length / 4) * 4;
  }
  return keys;
}
