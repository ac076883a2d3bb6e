import fc from 'fast-check';
import { isEnumType } from 'postgraphile/graphql';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';

/** The columns that books are ordered by: as orders of the API, and as SQL. */
const columns = {
  N: 'n',
  WORDS: 'words',
  FLAG: 'flag',
  DUE: 'due',
  AT: 'at',
  AMOUNT: 'amount',
  RATIO: 'ratio',
  SPAN: 'span',
  CODE: 'code',
  REF: 'ref',
  GRADE: 'grade',
  CLOCK: 'clock',
  SIZE: 'app_public.books_size(b)',
  POSITION: 'position',
} as const;

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Tenant;
let shelves: string[];

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(`
    create domain app_public.grade as int;
    create table app_public.shelves (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), name text not null, primary key (user_id, id));
    create table app_public.books (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), shelf_id uuid, position int not null,
      n int, words text, flag boolean, due date, at timestamptz, amount numeric, ratio float8, span interval,
      code int, ref uuid, grade app_public.grade, clock time,
      primary key (user_id, id), unique (user_id, code), foreign key (user_id, shelf_id) references app_public.shelves);
    -- The first column of this key is not unique by itself.
    create table app_public.marks (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      a int not null, b int not null, primary key (user_id, a, b));
    -- Tenants read public rows of each other, and their keys differ in the owner alone.
    create table app_public.pubs (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      a int not null, title text, primary key (user_id, a));
    -- Tenants may read these columns and no key.
    create table app_public.secs (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), body text, n int, primary key (user_id, id));
    create table app_public.slips (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), label text not null unique, note text, primary key (user_id, id));
    create view app_public.zoo_view with (security_invoker) as
      select b.position % 4 as position, b.words, b.shelf_id from app_public.books b;
    grant select on app_public.zoo_view to hedgerow_tenant;
    comment on view app_public.zoo_view is '@behavior +orderBy';
    create function app_public.books_size(book app_public.books) returns int language sql stable
      set search_path from current as $$ select case when book.n > 1 then book.n % 3 end $$;
    comment on function app_public.books_size(app_public.books) is '@behavior +orderBy +filterBy';
    create function app_public.newest_books() returns setof app_public.books language sql stable
      set search_path from current as $$ select * from app_public.books order by position desc $$`);
  // Rows of two tables in one connection.
  await db.asAdmin(`
    create type app_public.entry as (id uuid, label text, rank int);
    comment on type app_public.entry is '@interface mode:union';
    create table app_public.letters (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), label text not null, rank int, primary key (user_id, id));
    create table app_public.cards (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), label text not null, rank int, primary key (user_id, id));
    comment on table app_public.letters is '@implements Entry';
    comment on table app_public.cards is '@implements Entry'`);
  for (const table of ['shelves', 'books', 'marks', 'letters', 'cards']) {
    await db.asAdmin(`alter table app_public.${table} enable row level security, force row level security;
      create policy own on app_public.${table} to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
      grant select, insert, update, delete on app_public.${table} to hedgerow_tenant`);
  }
  await db.asAdmin(`alter table app_public.secs enable row level security, force row level security;
    create policy own on app_public.secs to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
    grant select (body, n), insert (body, n) on app_public.secs to hedgerow_tenant;
    alter table app_public.slips enable row level security, force row level security;
    create policy own on app_public.slips to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
    grant select (label, note), insert (label, note), update (note), delete on app_public.slips to hedgerow_tenant`);
  await db.asAdmin(`alter table app_public.pubs enable row level security, force row level security;
    create policy own on app_public.pubs to hedgerow_tenant
      using (user_id = (select app_public.current_user_id()) or title is not null);
    grant select, insert, update, delete on app_public.pubs to hedgerow_tenant`);
  server = await serve(db);
  ada = await signUp(server.app, 'ada');
  for (const { id } of [ada, await signUp(server.app, 'bob')]) {
    await db.asAdmin(
      `insert into app_public.shelves (user_id, name) select $1, 'shelf ' || n from generate_series(1, 2) n`,
      [id],
    );
    // Two of three values are null, or from a small set with the values at both ends of the type.
    await db.asAdmin(
      `insert into app_public.books (user_id, shelf_id, position, n, words, flag, due, at, amount, ratio, span, code, ref, grade, clock)
      select $1, case when i % 4 > 0 then (select id from app_public.shelves s where s.user_id = $1 and name = 'shelf ' || 1 + i % 2) end,
        i, (array[null, 1, 2, 7, -2147483648])[1 + i % 5], (array[null, '', 'a', 'B', 'ä'])[1 + i * 3 % 5],
        (array[null, true, false])[1 + i % 3],
        (array[null, 'infinity', '-infinity', '0044-03-15 BC', '2026-12-01'])[1 + i * 2 % 5]::date,
        (array[null, 'infinity', '2026-12-01 10:00:00.123456+02', '0001-01-01 00:00:00+00 BC'])[1 + i % 4]::timestamptz,
        (array[null, 'NaN', 'Infinity', '1e-30', '123456789012345678901234567890'])[1 + i % 5]::numeric,
        (array[null, 'NaN', '-Infinity', '0.1', '1e308'])[1 + i % 5]::float8,
        (array[null, '1 mon', '30 days', '-1 year 00:00:00.000001'])[1 + i % 4]::interval,
        case when i % 2 = 0 then i end, case when i % 3 = 0 then gen_random_uuid() end,
        (array[null, 3, 1, 2])[1 + i % 4], (array[null, '00:00', '24:00'])[1 + i % 3]::time
      from generate_series(1, 23) i`,
      [id],
    );
    await db.asAdmin('insert into app_public.marks select $1, i / 4, i from generate_series(1, 11) i', [id]);
    await db.asAdmin(
      `insert into app_public.secs (user_id, body, n)
      select $1, (array[null, 'a', 'b'])[1 + i % 3], (array[null, 1])[1 + i % 2] from generate_series(1, 13) i`,
      [id],
    );
    await db.asAdmin(
      `insert into app_public.pubs
      select $1, i, (array['same', 'other', 'same'])[i] from generate_series(1, 3) i`,
      [id],
    );
  }
  shelves = (await ada.graphql('{ shelves { nodes { rowId } } }')).body.data.shelves.nodes.map(
    ({ rowId }: { rowId: string }) => rowId,
  );
}, 300_000);
afterAll(async () => {
  await server.close();
  await db.drop();
});

interface Page {
  readonly nodes: readonly { readonly position: number }[];
  readonly edges: readonly { readonly cursor: string }[];
  readonly pageInfo: Record<'startCursor' | 'endCursor', string> & Record<'hasNextPage' | 'hasPreviousPage', boolean>;
  readonly totalCount: number;
}

/** Where books are read: the document around the connection, and the SQL condition of the rows in it. */
function placeOf(name: string): { document: (books: string) => string; condition: string } {
  const update = `updateShelf(input: {rowId: "${shelves[0]}", patch: {name: "x"}})`;
  switch (name) {
    case 'a list':
      return { document: (books) => `query { shelves(first: 1) { nodes { ${books} } } }`, condition: onShelf(0) };
    case 'a row':
      return { document: (books) => `query { shelf(rowId: "${shelves[1]}") { ${books} } }`, condition: onShelf(1) };
    case 'a payload':
      return { document: (books) => `mutation { ${update} { shelf { ${books} } } }`, condition: onShelf(0) };
    case 'the query of a payload':
      return { document: (books) => `mutation { ${update} { query { ${books} } } }`, condition: 'true' };
    default:
      return { document: (books) => `query { ${books} }`, condition: 'true' };
  }
}

const onShelf = (index: number) => `shelf_id = '${shelves[index]}'`;

const filters = {
  none: { argument: '', condition: 'true' },
  'a nullable column': { argument: ', filter: {flag: {isNull: false}}', condition: 'flag is not null' },
  'a function': { argument: ', filter: {size: {notEqualTo: 1}}', condition: 'app_public.books_size(b) <> 1' },
} as const;

const order = fc.record({
  column: fc.constantFrom(...(Object.keys(columns) as (keyof typeof columns)[])),
  direction: fc.constantFrom('ASC', 'DESC'),
});

const reading = fc.record({
  orders: fc.uniqueArray(order, { maxLength: 3, selector: ({ column }) => column }),
  size: fc.integer({ min: 1, max: 9 }),
  side: fc.constantFrom<'after' | 'before'>('after', 'before'),
  place: fc.constantFrom('the root', 'a list', 'a row', 'a payload', 'the query of a payload'),
  filter: fc.constantFrom(...(Object.keys(filters) as (keyof typeof filters)[])),
  /** Whether order and cursor are variables, or stand in the document. */
  variables: fc.boolean(),
});
type Reading = typeof reading extends fc.Arbitrary<infer Value> ? Value : never;

const pageFields =
  'nodes { position } edges { cursor } totalCount pageInfo { startCursor endCursor hasNextPage hasPreviousPage }';

/** The page behind `cursor`, or the first on that side. */
async function readPage({ orders, size, side, place, filter, variables }: Reading, cursor?: string): Promise<Page> {
  const values = orders.map(({ column, direction }) => `${column}_${direction}`);
  const [orderBy, at] = variables ? ['$orderBy', '$cursor'] : [`[${values}]`, JSON.stringify(cursor ?? null)];
  const size_ = `${side === 'after' ? 'first' : 'last'}: ${size}`;
  const books = `books(${size_}, ${side}: ${at}, orderBy: ${orderBy}${filters[filter].argument}) { ${pageFields} }`;
  const document = placeOf(place).document(books);
  const declared = document.replace(/^\w+/, '$& ($orderBy: [BookOrderBy!], $cursor: Cursor)');
  const { body } = variables ? await ada.graphql(declared, { orderBy: values, cursor }) : await ada.graphql(document);
  expect(body.errors).toBeUndefined();
  return find(body.data) as Page;
}

/** The connection in an answer, wherever it is. */
function find(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const { books } = value as { books?: unknown };
  return (
    books ??
    Object.values(value)
      .map(find)
      .find((found) => found !== undefined)
  );
}

/** All rows of the reading, by one plain `order by`: nulls last, or first where it descends. */
async function inOrder({ orders, place, filter }: Reading): Promise<number[]> {
  const key = `id ${orders[0]?.direction ?? 'ASC'}`;
  const by = [...orders.map(({ column, direction }) => `${columns[column]} ${direction}`), key];
  const rows = await db.asAdmin<{ position: number }>(
    `select position from app_public.books b where user_id = $1 and ${placeOf(place).condition}
     and ${filters[filter].condition} order by ${by.join(', ')}`,
    [ada.id],
  );
  return rows.map(({ position }) => position);
}

test('pages one after another are the rows of one plain order by, whatever is null', async () => {
  await fc.assert(
    fc.asyncProperty(reading, async (one) => {
      const expected = await inOrder(one);
      const found: number[] = [];
      let cursor: string | undefined;
      for (let more = true; more; ) {
        const { nodes, edges, pageInfo, totalCount } = await readPage(one, cursor);
        const positions = nodes.map(({ position }) => position);
        if (one.side === 'after') found.push(...positions);
        else found.unshift(...positions);
        expect(totalCount).toBe(expected.length);
        expect([edges[0]?.cursor, edges.at(-1)?.cursor]).toEqual(
          nodes.length > 0 ? [pageInfo.startCursor, pageInfo.endCursor] : [undefined, undefined],
        );
        cursor = one.side === 'after' ? pageInfo.endCursor : pageInfo.startCursor;
        more = one.side === 'after' ? pageInfo.hasNextPage : pageInfo.hasPreviousPage;
        if (more) expect(found.length).toBeLessThan(expected.length);
      }
      expect(found).toEqual(expected);
    }),
    { numRuns: 120 },
  );
}, 300_000);

test.each(Object.keys(columns))(
  'every row is a place to go on from, ordered by %s',
  async (column) => {
    for (const direction of ['ASC', 'DESC']) {
      const all = { size: 100, place: 'the root', filter: 'none', variables: true } as const;
      const orders = [{ column, direction }] as Reading['orders'];
      const forwards = { ...all, orders, side: 'after' } as const;
      const { nodes, edges } = await readPage(forwards);
      for (const [index, { cursor }] of edges.entries()) {
        expect((await readPage(forwards, cursor)).nodes).toEqual(nodes.slice(index + 1));
        expect((await readPage({ ...forwards, side: 'before' }, cursor)).nodes).toEqual(nodes.slice(0, index));
      }
    }
  },
  120_000,
);

test('the first column of a key is not taken for the whole key', async () => {
  const { rows, cursors } = await walk('marks', 'a b', 'orderBy: A_DESC, first: 3');
  expect(cursors).toBeGreaterThan(2);
  expect(rows).toEqual(
    await db.asAdmin('select a, b from app_public.marks where user_id = $1 order by a desc, b desc', [ada.id]),
  );
});

const publicReading = fc.record({
  orders: fc.uniqueArray(fc.constantFrom('A_ASC', 'A_DESC', 'TITLE_ASC', 'TITLE_DESC'), {
    maxLength: 2,
    selector: (value) => value.split('_')[0],
  }),
  size: fc.integer({ min: 1, max: 4 }),
  side: fc.constantFrom('after', 'before'),
});

test('pages have the rows of all tenants that a policy shows, where only the owner tells their keys apart', async () => {
  await fc.assert(
    fc.asyncProperty(publicReading, async ({ orders, size, side }) => {
      const direction = orders[0]?.split('_')[1] ?? 'ASC';
      const by = [...orders.map((order) => order.replace('_', ' ')), `user_id ${direction}`, `a ${direction}`];
      const expected = await db.asAdmin(`select a, title from app_public.pubs order by ${by.join(', ')}`);
      expect(await walkAll('pubs', 'a title', { orders, size, side })).toEqual(expected);
    }),
    { numRuns: 40 },
  );
}, 120_000);

const unkeyed = {
  secs: { fields: ['body', 'n'], source: 'app_public.secs' },
  zooViews: {
    fields: ['position', 'words'],
    source: '(select position % 4 as position, words, user_id from app_public.books)',
  },
} as const;

test.each(['secs', 'zooViews'] as const)(
  'pages of %s have all rows, although no key can be read',
  async (field) => {
    const { fields, source } = unkeyed[field];
    const [first, second] = fields;
    const select = `select ${fields} from ${source} as source where user_id = $1`;
    for (const direction of ['ASC', 'DESC']) {
      const all = await db.asAdmin(`${select} order by ${first} ${direction}, ${second} ${direction}`, [ada.id]);
      const orders = [`${first}_${direction}`.toUpperCase(), `${second}_${direction}`.toUpperCase()];
      for (const side of ['after', 'before']) {
        for (const size of [1, 4, all.length]) {
          expect(await walkAll(field, fields.join(' '), { orders, size, side })).toEqual(all);
          const some = await walkAll(field, fields.join(' '), { orders: orders.slice(0, 1), size, side });
          expect(some.map((row) => (row as Record<string, unknown>)[first])).toEqual(all.map((row) => row[first]));
          expect(some).toEqual(expect.arrayContaining(all));
        }
      }
    }
    const natural = await walkAll(field, fields.join(' '), { orders: [], size: 3, side: 'after' });
    expect(natural).toEqual(expect.arrayContaining(await db.asAdmin(select, [ada.id])));
  },
  120_000,
);

test('cursors are places in an order, although no key can be read', async () => {
  const read = async (args: string) => {
    const document = `{ zooViews(orderBy: POSITION_ASC, ${args}) { nodes { position words } edges { cursor } } }`;
    const { body } = await ada.graphql(document);
    return body.data?.zooViews ?? body.errors;
  };
  const { nodes, edges } = await read('first: 100');
  const [after, before] = [`after: "${edges[4].cursor}"`, `before: "${edges[12].cursor}"`];
  expect((await read(`${after}, offset: 2, first: 3`)).nodes).toEqual(nodes.slice(7, 10));
  expect((await read(`${before}, last: 20`)).nodes).toEqual(nodes.slice(0, 12));
  expect((await read(`${before}, last: 3`)).nodes).toEqual(nodes.slice(9, 12));
  expect((await read('last: 5')).nodes).toEqual(nodes.slice(-5));
  const [digest] = JSON.parse(Buffer.from(edges[0].cursor, 'base64').toString());
  const invalid = Buffer.from(JSON.stringify([digest, '1', null, null, 'x'])).toString('base64');
  expect(await read(`after: "${invalid}"`)).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
});

test('tenants read columns of a table whose key they may not read', async () => {
  const read = await ada.graphql('{ secs { nodes { body } } }');
  expect(read.body.errors).toBeUndefined();
  expect(read.body.data.secs.nodes).toHaveLength(13);
});

describe('the edge in the payload of a mutation', () => {
  beforeAll(async () => {
    await db.asAdmin("insert into app_public.slips (user_id, label) values ($1, 'old')", [ada.id]);
  });

  test.each([
    ['createSlip(input: {slip: {label: "new"}}) { slipEdge { cursor node { label } } }', 'new'],
    ['updateSlipByLabel(input: {label: "old", patch: {note: "x"}}) { slipEdge { cursor node { label } } }', 'old'],
    ['deleteSlipByLabel(input: {label: "old"}) { slipEdge { node { label } cursor } }', 'old'],
  ])('of a table whose key tenants may not read has the row, and no cursor: %s', async (mutation, label) => {
    const { body } = await ada.graphql(`mutation { ${mutation} }`);
    expect(body.errors).toBeUndefined();
    const [payload] = Object.values(body.data) as { slipEdge: unknown }[];
    expect(payload?.slipEdge).toEqual({ cursor: null, node: { label } });
  });

  test('of another table has the cursor with which its page goes on', async () => {
    const created = await ada.graphql('mutation { createList(input: {list: {name: "edge"}}) { listEdge { cursor } } }');
    expect(created.body.data.createList.listEdge.cursor).toMatch(/\w/);
  });
});

/** The rows of a connection of the root, read page by page from either end. Each page has to have a row. */
async function walkAll(
  field: string,
  fields: string,
  { orders, size, side }: { orders: readonly string[]; size: number; side: string },
): Promise<unknown[]> {
  const rows: unknown[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page = `${side === 'after' ? 'first' : 'last'}: ${size}, ${side}: ${JSON.stringify(cursor)}`;
    const document: string = `{ ${field}(${page}, orderBy: [${orders}]) {
      nodes { ${fields} } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
    const { body } = await ada.graphql(document);
    expect(body.errors).toBeUndefined();
    const { nodes, totalCount, pageInfo } = body.data[field];
    expect(nodes).not.toEqual([]);
    if (side === 'after') rows.push(...nodes);
    else rows.unshift(...nodes);
    if (!(side === 'after' ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)) {
      expect(rows).toHaveLength(totalCount);
      return rows;
    }
    cursor = side === 'after' ? pageInfo.endCursor : pageInfo.startCursor;
  }
}

test('the rows of a function keep its order', async () => {
  const { rows } = await walk('newestBooks', 'position', 'first: 4');
  expect(rows).toEqual(Array.from({ length: 23 }, (_, index) => ({ position: 23 - index })));
});

test('rows of several tables are not ordered by what may be null, which PostGraphile would lose rows by', async () => {
  const values = server.graphqlSchema.getType('EntryOrderBy');
  const offered = isEnumType(values) ? values.getValues().map(({ name }) => name) : undefined;
  expect(offered).not.toContain('RANK_ASC');
  await db.asAdmin(
    `insert into app_public.letters (user_id, label, rank) select $1, 'l' || i, nullif(i % 3, 0) from generate_series(1, 5) i`,
    [ada.id],
  );
  await db.asAdmin(
    `insert into app_public.cards (user_id, label, rank) select $1, 'c' || i, nullif(i % 3, 0) from generate_series(1, 5) i`,
    [ada.id],
  );
  const { rows } = await walk('entries', 'label', 'first: 3');
  expect(new Set(rows.map((row) => (row as { label: string }).label)).size).toBe(10);
  expect(rows).toHaveLength(10);
});

/** The rows of a connection of the root, read page by page. */
async function walk(field: string, fields: string, args: string): Promise<{ rows: unknown[]; cursors: number }> {
  const rows: unknown[] = [];
  let cursor: string | null = null;
  for (let cursors = 0; ; cursors++) {
    const document: string = `{ ${field}(${args}, after: ${JSON.stringify(cursor)}) {
      nodes { ${fields} } pageInfo { hasNextPage endCursor } } }`;
    const { nodes, pageInfo } = (await ada.graphql(document)).body.data[field];
    rows.push(...nodes);
    if (!pageInfo.hasNextPage) return { rows, cursors };
    cursor = pageInfo.endCursor;
  }
}

test('the cursor of a new row works among the other rows', async () => {
  const create = `mutation { createBook(input: {book: {position: 100, n: null, flag: true}}) {
    book { rowId } bookEdge(orderBy: [N_DESC, FLAG_ASC]) { cursor } } }`;
  const { book, bookEdge } = (await ada.graphql(create)).body.data.createBook;
  const orders = [
    { column: 'N', direction: 'DESC' },
    { column: 'FLAG', direction: 'ASC' },
  ] as const;
  const one = { orders, size: 100, side: 'after', place: 'the root', filter: 'none', variables: true } as const;
  const expected = await inOrder(one as unknown as Reading);
  const { nodes } = await readPage(one as unknown as Reading, bookEdge.cursor);
  expect(nodes.map(({ position }) => position)).toEqual(expected.slice(expected.indexOf(100) + 1));
  await ada.graphql(`mutation { deleteBook(input: {rowId: "${book.rowId}"}) { clientMutationId } }`);
});

test.each([
  ['of another order', 'TITLE_ASC'],
  ['of no order', ['natural', 3]],
  ['with too few values', []],
  ['with an object in it', [{ a: 1 }, 'x']],
  ['that is no list', { a: 1 }],
])('a cursor %s is refused', async (_what, values) => {
  const [digest] = JSON.parse(
    Buffer.from((await readPage({ ...allBooks, side: 'after' })).edges[0]?.cursor as string, 'base64').toString(),
  );
  const content = Array.isArray(values) ? (values[0] === 'natural' ? values : [digest, ...values]) : values;
  const cursor = Buffer.from(JSON.stringify(content)).toString('base64');
  for (const argument of ['after', 'before']) {
    const { body } = await ada.graphql(
      `query ($cursor: Cursor) { books(${argument}: $cursor, orderBy: N_ASC) { nodes { position } } }`,
      { cursor },
    );
    expect(body.errors).toMatchObject([
      { message: expect.stringMatching(/^Invalid .*cursor/), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  }
});

const allBooks: Reading = {
  orders: [{ column: 'N', direction: 'ASC' }],
  size: 100,
  side: 'after',
  place: 'the root',
  filter: 'none',
  variables: true,
};
