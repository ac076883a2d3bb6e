import fc from 'fast-check';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Tenant;
/** Shelves in the order of their names, and the rows of each. The last shelf has none. */
let shelves: string[];

interface Row {
  readonly rank: number | null;
  readonly words: string | null;
}

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(`
    create table app_public.shelves (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), name text not null, primary key (user_id, id));
    -- Tenants may read no key of it.
    create table app_public.slips (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), shelf_id uuid not null, rank int, words text,
      primary key (user_id, id), foreign key (user_id, shelf_id) references app_public.shelves);
    create index on app_public.slips (user_id, shelf_id);
    create view app_public.glimpses with (security_invoker) as
      select user_id, shelf_id, rank, words from app_public.slips;
    comment on view app_public.glimpses is
      E'@foreignKey (shelf_id) references app_public.shelves (id)\\n@behavior +orderBy';
    grant select on app_public.glimpses to hedgerow_tenant;
    create function app_public.shelves_found(shelf app_public.shelves) returns setof app_public.glimpses
      language sql stable set search_path from current as $$
        select * from app_public.glimpses g where g.user_id = shelf.user_id and g.shelf_id = shelf.id $$;
    comment on function app_public.shelves_found(app_public.shelves) is '@behavior +order'`);
  for (const table of ['shelves', 'slips']) {
    await db.asAdmin(`alter table app_public.${table} enable row level security, force row level security;
      create policy own on app_public.${table} to hedgerow_tenant using (user_id = (select app_public.current_user_id()))`);
  }
  await db.asAdmin(`
    grant select, update (name) on app_public.shelves to hedgerow_tenant;
    grant select (user_id, shelf_id, rank, words) on app_public.slips to hedgerow_tenant`);
  server = await serve(db);
  ada = await signUp(server.app, 'ada');
  for (const { id } of [ada, await signUp(server.app, 'bob')]) {
    await db.asAdmin(
      `insert into app_public.shelves (user_id, name) select $1, 'shelf ' || n from generate_series(1, 4) n`,
      [id],
    );
    // Rows that are the same in all columns are among them.
    await db.asAdmin(
      `insert into app_public.slips (user_id, shelf_id, rank, words)
      select s.user_id, s.id, (array[null, 1, 2])[1 + i % 3], (array[null, 'a', 'b', 'c'])[1 + i * right(s.name, 1)::int % 4]
      from app_public.shelves s, generate_series(1, 4 * right(s.name, 1)::int) i where s.user_id = $1 and s.name < 'shelf 4'`,
      [id],
    );
  }
  const rows = await db.asAdmin<{ id: string }>('select id from app_public.shelves where user_id = $1 order by name', [
    ada.id,
  ]);
  shelves = rows.map(({ id }) => id);
}, 300_000);
afterAll(async () => {
  await server.close();
  await db.drop();
});

const fields = ['slips', 'glimpses', 'found'] as const;

/** Connections of functions are read forwards only. */
const reading = fc
  .record({
    field: fc.constantFrom(...fields),
    orders: fc.uniqueArray(fc.constantFrom('RANK_ASC', 'RANK_DESC', 'WORDS_ASC', 'WORDS_DESC'), {
      minLength: 1,
      maxLength: 2,
      selector: (value) => value.split('_')[0],
    }),
    size: fc.integer({ min: 1, max: 5 }),
    side: fc.constantFrom<'after' | 'before'>('after', 'before'),
    place: fc.constantFrom('several parents', 'parents by alias', 'a payload'),
    variables: fc.boolean(),
  })
  .filter(({ field, side }) => field !== 'found' || side === 'after');
type Reading = typeof reading extends fc.Arbitrary<infer Value> ? Value : never;

interface Page {
  readonly nodes: readonly Row[];
  readonly edges: readonly { readonly cursor: string; readonly node: Row }[];
  readonly totalCount: number;
  readonly pageInfo: Record<'startCursor' | 'endCursor', string | null> &
    Record<'hasNextPage' | 'hasPreviousPage', boolean>;
}

const pageFields = `nodes { rank words } edges { cursor node { rank words } } totalCount
  pageInfo { startCursor endCursor hasNextPage hasPreviousPage }`;

/** The page of every shelf behind one cursor, which the shelves share. */
async function readPages({ field, orders, size, side, place, variables }: Reading, cursor: string | null) {
  const [orderBy, at] = variables ? ['$orderBy', '$cursor'] : [`[${orders}]`, JSON.stringify(cursor)];
  const limit = `${side === 'after' ? 'first' : 'last'}: ${size}`;
  const page = `page: ${field}(${limit}, ${side}: ${at}, orderBy: ${orderBy}) { ${pageFields} }`;
  const type = { slips: 'SlipOrderBy', glimpses: 'GlimpseOrderBy', found: 'GlimpseOrderBy' }[field];
  const declared = variables ? `($orderBy: [${type}!], $cursor: Cursor)` : '';
  const document = {
    'several parents': `query ${declared} { shelves(first: 4, orderBy: NAME_ASC) { nodes { ${page} } } }`,
    'parents by alias': `query ${declared} { ${shelves.map((id, n) => `s${n}: shelf(rowId: "${id}") { ${page} }`)} }`,
    'a payload': `mutation ${declared} { ${shelves.map(
      (id, n) => `s${n}: updateShelf(input: {rowId: "${id}", patch: {name: "shelf ${n + 1}"}}) { shelf { ${page} } }`,
    )} }`,
  }[place];
  const { body } = await ada.graphql(document as string, variables ? { orderBy: orders, cursor } : undefined);
  expect(body.errors).toBeUndefined();
  return pagesIn(body.data);
}

/** Every page in an answer, in its sequence. */
function pagesIn(value: unknown): Page[] {
  if (typeof value !== 'object' || value === null) return [];
  const { page } = value as { page?: Page };
  return page ? [page] : Object.values(value).flatMap(pagesIn);
}

async function inOrder(orders: readonly string[], shelf: string): Promise<Row[]> {
  const given = orders.map((value) => value.replace('_', ' '));
  const direction = given[0]?.split(' ')[1];
  // Ties follow the order of the columns.
  const by = [...given, `shelf_id ${direction}`, `rank ${direction}`, `words ${direction}`];
  return db.asAdmin<{ rank: number; words: string }>(
    `select rank, words from app_public.slips where shelf_id = $1 order by ${by.join(', ')}`,
    [shelf],
  );
}

test('pages of nested connections are the rows of each parent in order, although no key can be read', async () => {
  await fc.assert(
    fc.asyncProperty(reading, async (one) => {
      for (const [index, shelf] of shelves.entries()) {
        const expected = await inOrder(one.orders, shelf);
        const found: Row[] = [];
        let cursor: string | null = null;
        for (let more = true; more; ) {
          const page: Page = (await readPages(one, cursor))[index] as Page;
          expect(page.totalCount).toBe(expected.length);
          expect(page.edges.map(({ node }) => node)).toEqual(page.nodes);
          const cursors = page.edges.map((edge) => edge.cursor);
          expect([page.pageInfo.startCursor, page.pageInfo.endCursor]).toEqual([
            cursors[0] ?? null,
            cursors.at(-1) ?? null,
          ]);
          if (one.side === 'after') found.push(...page.nodes);
          else found.unshift(...page.nodes);
          const { pageInfo } = page;
          more = one.side === 'after' ? pageInfo.hasNextPage : pageInfo.hasPreviousPage;
          cursor = one.side === 'after' ? pageInfo.endCursor : pageInfo.startCursor;
          if (more) expect(found.length).toBeLessThan(expected.length);
        }
        expect(found).toEqual(expected);
      }
    }),
    { numRuns: 40 },
  );
}, 300_000);

test.each(['slips', 'glimpses'] as const)(
  'one cursor is the same place among the %s of every parent',
  async (field) => {
    const all = { field, orders: ['RANK_DESC'], size: 20, place: 'several parents', variables: true } as const;
    const forwards = { ...all, side: 'after' } as unknown as Reading;
    const full = await readPages(forwards, null);
    const cursors = full[2]?.edges.map(({ cursor }) => cursor) as string[];
    expect(cursors).toHaveLength(12);
    for (const [at, cursor] of cursors.entries()) {
      const after = await readPages({ ...forwards, size: 3 }, cursor);
      const before = await readPages({ ...forwards, size: 3, side: 'before' }, cursor);
      expect(before[2]?.pageInfo.hasPreviousPage).toBe(at > 3);
      for (const [index, { nodes }] of full.entries()) {
        expect(after[index]?.nodes).toEqual(nodes.slice(at + 1, at + 4));
        expect(after[index]?.pageInfo.hasNextPage).toBe(nodes.length > at + 4);
        // A page before a cursor is counted from the first row, also of a parent that has fewer.
        expect(before[index]?.nodes).toEqual(nodes.slice(Math.max(at - 3, 0), at));
      }
    }
  },
  120_000,
);

test.each(fields)('pages of the %s of every parent have all rows without an order', async (field) => {
  const all = { field, orders: [], size: 5, side: 'after', place: 'several parents', variables: true } as const;
  const found: Row[][] = shelves.map(() => []);
  for (const [index, rows] of found.entries()) {
    let cursor: string | null = null;
    for (let more = true; more; ) {
      const page: Page = (await readPages(all as unknown as Reading, cursor))[index] as Page;
      rows.push(...page.nodes);
      more = page.pageInfo.hasNextPage;
      cursor = page.pageInfo.endCursor;
    }
    const expected = await inOrder(['RANK_ASC'], shelves[index] as string);
    expect(rows).toHaveLength(expected.length);
    expect(rows).toEqual(expect.arrayContaining(expected));
  }
});

test('a cursor of a nested connection is valid only in its order', async () => {
  const all = { orders: ['RANK_ASC'], size: 5, side: 'after', place: 'several parents', variables: false } as const;
  const one = { ...all, field: 'glimpses' } as unknown as Reading;
  const cursor = (await readPages(one, null))[0]?.pageInfo.endCursor;
  const read = (args: string) =>
    ada.graphql(`{ shelves(orderBy: NAME_ASC) { nodes { glimpses(${args}) { nodes { rank } } } } }`);
  for (const order of ['RANK_DESC', 'WORDS_ASC', '[RANK_ASC, WORDS_ASC]']) {
    const { body } = await read(`first: 2, after: "${cursor}", orderBy: ${order}`);
    expect(body.errors).toMatchObject([
      { message: expect.stringMatching(/^Invalid 'after' cursor/), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  }
  const skipped = await read(`first: 2, offset: 1, after: "${cursor}", orderBy: RANK_ASC`);
  const expected = await inOrder(['RANK_ASC'], shelves[2] as string);
  expect(skipped.body.data.shelves.nodes[2].glimpses.nodes).toEqual(expected.slice(5, 7).map(({ rank }) => ({ rank })));
});
