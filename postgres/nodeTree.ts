/** A node of the parse tree of an expression, as in pg_node_tree. */
export interface Node {
  /** Such as OPEXPR or VAR. The fields of a kind differ between versions of Postgres. */
  readonly kind: string;
  readonly fields: Readonly<Record<string, Value>>;
}

/** `null` is `<>` in the text, an absent value. */
export type Value = Node | readonly Value[] | string | null;

/**
 * Parses a pg_node_tree (src/backend/nodes/read.c). Postgres has resolved every name in it to an oid, so the spelling
 * and the whitespace of the SQL do not matter.
 */
export function parseNodeTree(text: string): Value {
  const tokens = text.match(/[(){}]|(?:\\[\s\S]|[^\s(){}\\])+/g) ?? [];
  let at = 0;
  const value = (): Value => {
    const token = tokens[at++] as string;
    if (token === '{') return node();
    if (token === '(') {
      const items: Value[] = [];
      while (tokens[at] !== ')') items.push(value());
      at += 1;
      return items;
    }
    return token === '<>' ? null : token.replace(/\\([\s\S])/g, '$1');
  };
  const node = (): Node => {
    const kind = tokens[at++] as string;
    const fields: Record<string, Value> = {};
    while (tokens[at] !== '}') {
      const name = (tokens[at++] as string).slice(1);
      const first = value();
      // The bytes of a constant are several tokens: `4 [ 1 0 0 0 0 0 0 0 ]`.
      const more: Value[] = [];
      while (!/^[:}]/.test(tokens[at] as string)) more.push(value());
      fields[name] = more.length > 0 ? [first, ...more].join(' ') : first;
    }
    at += 1;
    return { kind, fields };
  };
  return value();
}

export function isNode(value: Value | undefined): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The nodes of a list, or none for other values. */
export function nodes(value: Value | undefined): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The direct children of `node`. */
export function children({ fields }: Node): Node[] {
  return Object.values(fields).flatMap((value) =>
    isNode(value) ? [value] : Array.isArray(value) ? within(value) : [],
  );
}

function within(list: readonly Value[]): Node[] {
  return list.flatMap((value) => (isNode(value) ? [value] : Array.isArray(value) ? within(value) : []));
}

/** `node` and all nodes below it. */
export function descendants(node: Node): Node[] {
  return [node, ...children(node).flatMap(descendants)];
}

/** Whether two expressions are equal, regardless of their location in the SQL. */
export function same(a: Value, b: Value): boolean {
  return fingerprint(a) === fingerprint(b);
}

function fingerprint(value: Value): string {
  return JSON.stringify(value, (key, inside) => (key === 'location' ? undefined : inside));
}

/** Splits an expression at its top-level `and`. */
export function conjuncts(expression: Node): Node[] {
  const { kind, fields } = expression;
  return kind === 'BOOLEXPR' && fields.boolop === 'and' ? nodes(fields.args).flatMap(conjuncts) : [expression];
}
