/** A node of Postgres's own tree of an expression, as pg_node_tree shows it. */
export interface Node {
  /** Such as OPEXPR or VAR; what is in it differs from one version of Postgres to the next. */
  readonly kind: string;
  readonly fields: Readonly<Record<string, Value>>;
}

/** `null` is Postgres's `<>`: nothing there. */
export type Value = Node | readonly Value[] | string | null;

/**
 * Reads a pg_node_tree (src/backend/nodes/read.c): the tree that Postgres itself keeps, with every name resolved to an
 * oid, so that neither spelling nor white space of the SQL matter.
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
      // The bytes of a constant are many tokens: `4 [ 1 0 0 0 0 0 0 0 ]`.
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

/** The nodes of a list. */
export function nodes(value: Value | undefined): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The nodes directly inside of `node`. */
export function children({ fields }: Node): Node[] {
  return Object.values(fields).flatMap((value) =>
    isNode(value) ? [value] : Array.isArray(value) ? within(value) : [],
  );
}

function within(list: readonly Value[]): Node[] {
  return list.flatMap((value) => (isNode(value) ? [value] : Array.isArray(value) ? within(value) : []));
}

/** `node` and everything in it. */
export function descendants(node: Node): Node[] {
  return [node, ...children(node).flatMap(descendants)];
}

/** Whether two expressions are the same, wherever in the SQL they were written. */
export function same(a: Value, b: Value): boolean {
  return fingerprint(a) === fingerprint(b);
}

function fingerprint(value: Value): string {
  return JSON.stringify(value, (key, inside) => (key === 'location' ? undefined : inside));
}

/** The parts that have to hold for all of `expression` to hold. */
export function conjuncts(expression: Node): Node[] {
  const { kind, fields } = expression;
  return kind === 'BOOLEXPR' && fields.boolop === 'and' ? nodes(fields.args).flatMap(conjuncts) : [expression];
}
