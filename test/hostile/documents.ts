import { between, pick, type Random } from '../leak/random.ts';

/** A hostile request body. */
export interface Hostile {
  readonly kind: string;
  /** Sent as JSON unless it is a string. */
  readonly body: unknown;
  /** Whether it exceeds a limit or is not a valid document. Such a body must not reach the database. */
  readonly refused: boolean;
}

type BuildBody = (random: Random) => Omit<Hostile, 'kind'>;

const integer = (random: Random, from: number, to: number) => Math.floor(between(random, from, to));
const times = (count: number, text: (index: number) => string) => Array.from({ length: count }, (_, i) => text(i));
const refused = (query: unknown, variables?: unknown) => ({ body: { query, variables }, refused: true });
const allowed = (query: unknown, variables?: unknown) => ({ body: { query, variables }, refused: false });

/** Documents that exceed a limit. */
const large: Record<string, BuildBody> = {
  deep: (random) => {
    const depth = integer(random, 8, 150);
    return refused(`{ ${'todos { nodes { list { '.repeat(depth)} name ${'} } } '.repeat(depth)} }`);
  },
  'so deep that a parser could run out of stack': () => refused('{a'.repeat(45_000)),
  'deep inline fragments': (random) => refused(`{ ${'... { '.repeat(integer(random, 1000, 9000))} `),
  aliases: (random) => refused(`{ ${times(integer(random, 31, 300), (i) => `a${i}: __typename`).join(' ')} }`),
  'aliases in a fragment': (random) =>
    refused(
      `{ ${times(4, (i) => `x${i}: todos { nodes { ...F } }`).join(' ')} } fragment F on Todo { ${times(
        integer(random, 10, 100),
        (i) => `a${i}: title`,
      ).join(' ')} }`,
    ),
  'root fields': (random) => refused(`{ ${'todos { totalCount } '.repeat(integer(random, 21, 300))} }`),
  directives: (random) => refused(`{ todos ${'@include(if: true) '.repeat(integer(random, 51, 250))} { totalCount } }`),
  tokens: (random) => refused(`{ ${'todos { totalCount } '.repeat(integer(random, 600, 4000))} }`),
  'exponential fragments': (random) => {
    const count = integer(random, 10, 90);
    const fragments = times(count, (i) => `fragment F${i} on Todo { ...F${i + 1} ...F${i + 1} }`).join(' ');
    return refused(`{ todos { nodes { ...F0 } } } ${fragments} fragment F${count} on Todo { title }`);
  },
  'a cycle of fragments': (random) => {
    const count = integer(random, 1, 80);
    return refused(
      `{ todos { nodes { ...F0 } } } ${times(count, (i) => `fragment F${i} on Todo { title ...F${(i + 1) % count} }`).join(' ')}`,
    );
  },
  'a huge page': (random) => {
    const value = pick(random, ['1001', '2147483647', '99999999999999999999', '-1', '-2147483648', '1e9', '"1"']);
    return refused(`{ todos(${pick(random, ['first', 'last'])}: ${value}) { nodes { title } } }`);
  },
  'a huge page in a variable': (random) => {
    const n = pick(random, [1001, 2 ** 31 - 1, 2 ** 31, 1e300, -1, 0.5, '1', true, [1], { n: 1 }]);
    return refused('query ($n: Int) { todos(first: $n) { nodes { title } } }', { n });
  },
  'pages in pages': (random) => {
    const n = integer(random, 200, 1001);
    return random() < 0.5
      ? refused(`{ lists(first: ${n}) { nodes { todos(first: ${n}) { nodes { title } } } } }`)
      : refused('query ($n: Int!) { lists(last: $n) { edges { node { todos(last: $n) { nodes { title } } } } } }', {
          n,
        });
  },
  'a deep literal': (random) => {
    const depth = integer(random, 16, 300);
    return refused(`{ todos(filter: ${'{not: '.repeat(depth)}{} ${'}'.repeat(depth)}) { totalCount } }`);
  },
  'a list too long': (random) =>
    refused('query ($o: [TodoOrderBy!]) { todos(orderBy: $o) { totalCount } }', {
      o: times(integer(random, 1001, 6000), () => 'TITLE_ASC'),
    }),
  'too many objects': (random) =>
    refused('query ($a: TodoFilter, $b: TodoFilter) { todos(filter: {or: [$a, $b]}) { totalCount } }', {
      a: { or: times(1000, () => '').map(() => ({ title: { equalTo: 'x' } })) },
      b: { or: times(integer(random, 250, 1000), () => '').map(() => ({ title: { equalTo: 'x' } })) },
    }),
  'a deep variable': (random) => {
    const depth = integer(random, 16, 9000);
    const body = `{"query": "query ($f: TodoFilter) { todos(filter: $f) { totalCount } }", "variables": {"f": ${'{"not":'.repeat(depth)}{}${'}'.repeat(depth)}}}`;
    return { body, refused: true };
  },
};

/** Invalid requests and invalid documents. */
const broken: Record<string, BuildBody> = {
  'a batch': (random) => ({
    body: times(integer(random, 0, 100), () => '').map(() => ({ query: '{ todos { totalCount } }' })),
    refused: true,
  }),
  'no object': (random) => ({ body: pick(random, ['1', '"x"', 'null', 'true', '', ' ', '[[]]', '{}']), refused: true }),
  'a query of another type': (random) => refused(pick(random, [1, null, true, [], ['{ __typename }'], {}, ''])),
  'variables of another type': (random) => refused('{ todos { totalCount } }', pick(random, [1, 'x', [], [1], true])),
  'an operation of another type': (random) => ({
    body: { query: 'query A { todos { totalCount } }', operationName: pick(random, [1, [], {}, 'B', '__proto__', '']) },
    refused: true,
  }),
  'an unfinished document': (random) => {
    const document = '{ todos(first: 1, filter: {title: {equalTo: "x"}}) { nodes { title } } }';
    return refused(document.slice(0, integer(random, 1, document.length - 1)));
  },
  'unfinished JSON': (random) => {
    const body = JSON.stringify({ query: '{ todos { totalCount } }', variables: { a: [1, 'x'] } });
    return { body: body.slice(0, integer(random, 1, body.length - 1)), refused: true };
  },
  'unknown names': (random) =>
    refused(
      pick(random, [
        '{ todo { secret } }',
        '{ credentials { nodes { passwordHash } } }',
        'mutation { dropTodos { ok } }',
        '{ todos(userId: "x") { totalCount } }',
        '{ todos { nodes { user_id } } }',
        `{ ${'x'.repeat(90_000)} }`,
        'subscription { nothing }',
        'query A { todos { totalCount } } query A { todos { totalCount } }',
        'fragment F on Todo { title }',
        'query ($a: Nothing) { todos(first: $a) { totalCount } }',
        '{ todos(first: $undeclared) { totalCount } }',
        'type Query { a: Int }',
      ]),
    ),
  'wrong types': (random) =>
    refused('query ($t: TodoInput!) { todos { totalCount } }', {
      t: pick(random, [null, 1, 'x', [], {}, { title: 1 }, { title: ['x'] }]),
    }),
  'a document by a path': (random) => ({
    body: { documentId: pick(random, ['../../etc/passwd', '/etc/passwd', '..%2f', '__proto__', [], {}, 1, '\0', '']) },
    refused: true,
  }),
};

const strange = ['\ud800', '\u202e', '🌿'.repeat(1000), '\ufeff', "'; drop table todos; --", '\\', '%', '\u0000', '$1'];

/** Documents within the limits, with unusual values. */
const odd: Record<string, BuildBody> = {
  'strange text': (random) =>
    allowed('query ($x: String) { todos(filter: {title: {includesInsensitive: $x}}) { nodes { title } } }', {
      x: pick(random, strange),
    }),
  'a strange title': (random) =>
    allowed('mutation ($x: String!) { createTodo(input: {todo: {title: $x}}) { todo { title } } }', {
      x: pick(random, [...strange, '', 'x'.repeat(90_000)]),
    }),
  'strange characters in a document': (random) =>
    allowed(`${pick(random, ['\ufeff', '#\u0000\n', ',,,', '\u2028', '\0', 'é'])} { todos { totalCount } }`),
  prototypes: (random) => {
    const key = pick(random, ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']);
    return random() < 0.5
      ? {
          body: `{"query": "query ($t: TodoCondition) { todos(condition: $t) { totalCount } }", "variables": {"t": {"${key}": {"first": 1}}, "${key}": {"t": 1}}, "${key}": {"x": 1}}`,
          refused: false,
        }
      : allowed(`query ($${key.replace('__', 'a')}: Int) { ${key}: todos(first: 1) { totalCount } }`);
  },
  'huge numbers': (random) =>
    allowed('mutation ($p: Int) { createTodo(input: {todo: {title: "x", priority: $p}}) { todo { priority } } }', {
      p: pick(random, [99_999, -1, 2 ** 31 - 1, 1e308, Number.MAX_SAFE_INTEGER, -0, 1.5]),
    }),
  'a strange cursor': (random) =>
    allowed('query ($c: Cursor) { todos(after: $c, orderBy: TITLE_ASC) { nodes { title } } }', {
      c: pick(random, ['', 'x', '[]', btoa('[]'), btoa('{"a":1}'), btoa('["x", 1, 2]'), btoa('[['.repeat(9000)), '\0']),
    }),
  'a strange id': (random) =>
    allowed('query ($i: ID!) { node(id: $i) { id } todoById(id: $i) { title } }', {
      i: pick(random, [
        '',
        'x',
        btoa('[]'),
        btoa('["Todo"]'),
        btoa('["Todo", {}]'),
        btoa('["User", null]'),
        '\0',
        '9'.repeat(9000),
      ]),
    }),
  'many orders': (random) =>
    allowed('query ($o: [TodoOrderBy!]) { todos(orderBy: $o) { nodes { title } } }', {
      o: times(integer(random, 100, 1000), () => pick(random, ['TITLE_ASC', 'TITLE_DESC', 'PRIORITY_ASC'])),
    }),
  'a long or': (random) =>
    allowed('query ($f: TodoFilter) { todos(filter: $f) { totalCount } }', {
      f: { or: times(integer(random, 100, 1000), () => '').map(() => ({ title: { equalTo: 'x' } })) },
    }),
  'a long list': (random) =>
    allowed('query ($n: [Int!]) { todos(filter: {priority: {in: $n}}) { totalCount } }', {
      n: times(integer(random, 100, 1000), () => '').map(() => integer(random, -1e9, 1e9)),
    }),
  'the same field often': (random) =>
    allowed(`{ todos { nodes { ${'list { name } '.repeat(integer(random, 50, 240))} } } }`),
  'many operations': (random) =>
    allowed(times(integer(random, 2, 150), (i) => `query Q${i} { todos { totalCount } }`).join(' ')),
  'a unique document': (random) =>
    allowed(
      `query ($f: TodoFilter) { todos(first: ${integer(random, 0, 1000)}, offset: ${integer(random, 0, 1e9)}, filter: $f) { nodes { title list { todos(first: 1) { nodes { ...on Todo { rowId } } } } } } }`,
    ),
  introspection: (random) =>
    allowed(
      `{ __schema { ${'types { fields { name type { name } args { name } } } '.repeat(integer(random, 1, 40))} } }`,
    ),
  'a large document': (random) => allowed(`{ todos { totalCount } } # ${'x'.repeat(integer(random, 80_000, 90_000))}`),
};

const builders = Object.entries({ ...large, ...broken, ...odd });

/** Builds `count` bodies that depend on the seed only. All kinds are about equally frequent. */
export function hostileBodies(random: Random, count: number): Hostile[] {
  return times(count, () => '').map((_, index) => {
    const [kind, make] = builders[index % builders.length] as (typeof builders)[number];
    return { kind, ...make(random) };
  });
}
