import { isInputObjectType, isObjectType } from 'postgraphile/graphql';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../support/server.ts';

/** Columns that a command is granted on; `table` for all of them, by a grant on the table. */
type Columns = readonly string[] | 'table';

const selects: readonly Columns[] = [[], ['id'], ['body'], ['id', 'body'], 'table'];
const inserts: readonly Columns[] = [[], ['body'], ['id', 'body'], 'table'];
const updates: readonly Columns[] = [[], ['body'], ['body', 'note'], 'table'];

const combinations = selects.flatMap((select) =>
  inserts.flatMap((insert) => updates.map((update) => ({ select, insert, update }))),
);

/** Letters only: digits would split names into parts. */
const nameOf = (index: number) => `memo${[36, 6, 1].map((digit) => 'bdgkpt'[Math.floor(index / digit) % 6]).join('')}`;

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Tenant;

const describeGrant = (command: string, columns: Columns) =>
  columns === 'table' ? command : columns.length > 0 ? `${command} (${columns.join(', ')})` : '';
const describeAll = ({ select, insert, update }: (typeof combinations)[number]) =>
  [describeGrant('select', select), describeGrant('insert', insert), describeGrant('update', update)].filter(Boolean);

beforeAll(async () => {
  db = await createTestDatabase();
  const tables = combinations.map((grants, index) => {
    const given = [...describeAll(grants), 'delete'].join(', ');
    return `
      create table app_public.${nameOf(index)} (
        user_id uuid not null default app_public.current_user_id() references app_public.users,
        id uuid not null default gen_random_uuid(), body text default 'empty', note text, primary key (user_id, id));
      alter table app_public.${nameOf(index)} enable row level security, force row level security;
      create policy own on app_public.${nameOf(index)} to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
      grant ${given} on app_public.${nameOf(index)} to hedgerow_tenant;`;
  });
  await db.asAdmin(tables.join(''));
  await db.asAdmin(`
    create table app_public.drops (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id uuid not null default gen_random_uuid(), body text, primary key (user_id, id));
    alter table app_public.drops enable row level security, force row level security;
    create policy add on app_public.drops for insert to hedgerow_tenant
      with check (user_id = (select app_public.current_user_id()));
    grant select, insert (body) on app_public.drops to hedgerow_tenant`);
  server = await serve(db);
  ada = await signUp(server.app, 'ada');
}, 300_000);
afterAll(async () => {
  await server.close();
  await db.drop();
});

/** Whether the API has the mutation, and its input the fields. */
function offers(mutation: string, inputType: string, fields: readonly string[]): boolean {
  const { graphqlSchema } = server;
  const type = graphqlSchema.getType(inputType);
  const known = isInputObjectType(type) ? Object.keys(type.getFields()) : [];
  const offered = Object.keys(graphqlSchema.getMutationType()?.getFields() ?? {});
  return offered.includes(mutation) && fields.every((field) => known.includes(field));
}

/** The selection of a payload's rows, with the readable columns. */
function selectionOf(payload: string, field: string, row: string, columns: Columns): string {
  const type = server.graphqlSchema.getType(payload);
  const readable = (columns === 'table' ? ['id', 'body'] : columns).map((name) => (name === 'id' ? 'rowId' : name));
  const rowType = server.graphqlSchema.getType(row);
  const has = isObjectType(type) && field in type.getFields() && isObjectType(rowType) && readable.length > 0;
  return `{ clientMutationId ${has ? `${field} { ${readable.join(' ')} }` : ''} }`;
}

const codes = (errors: { extensions: { code: string } }[] | undefined) =>
  errors?.map(({ extensions }) => extensions.code);

async function addRow(table: string): Promise<string> {
  const [row] = await db.asAdmin<{ id: string }>(
    `insert into app_public.${table} (user_id, body, note) values ($1, 'old', 'old') returning id`,
    [ada.id],
  );
  return row?.id as string;
}

test.each(combinations.map((grants, index) => [describeAll(grants).join(', ') || 'nothing', grants, index] as const))(
  'a bulk mutation does what the single one does, granted %s',
  async (_name, { select }, index) => {
    const table = nameOf(index);
    const type = `M${table.slice(1)}`;
    const single = selectionOf(`Create${type}Payload`, table, type, select);
    const many = selectionOf(`Create${type}sPayload`, `${table}s`, type, select);
    const id = '5f0d0a0e-7a55-4f0e-9d8c-1c2b3a4d5e6f';
    for (const values of [{ body: 'x' }, {}, { body: 'x', rowId: id }] as const) {
      if (!offers(`create${type}`, `${type}Input`, Object.keys(values))) continue;
      const one = await ada.graphql(
        `mutation ($row: ${type}Input!) { create${type}(input: {${table}: $row}) ${single} }`,
        { row: values },
      );
      await db.asAdmin(`delete from app_public.${table}`);
      const rows = 'rowId' in values ? [values] : [values, values];
      const all = await ada.graphql(
        `mutation ($rows: [${type}Input!]!) { create${type}s(input: {${table}s: $rows}) ${many} }`,
        { rows },
      );
      expect([values, codes(all.body.errors)]).toEqual([values, codes(one.body.errors)]);
      const stored = await db.asAdmin(`select body from app_public.${table}`);
      const written = one.body.errors ? [] : rows.map(() => ({ body: 'body' in values ? 'x' : 'empty' }));
      expect(stored).toEqual(written);
      await db.asAdmin(`delete from app_public.${table}`);
    }

    for (const patches of [
      [{ body: 'x' }, { body: 'y' }],
      [{ body: 'x' }, { note: 'y' }],
      [{ body: 'x', note: 'x' }, { note: 'y' }],
    ]) {
      if (!offers(`update${type}`, `${type}Patch`, patches.flatMap(Object.keys))) continue;
      const ids = [await addRow(table), await addRow(table)];
      const answers = [];
      for (const [at, patch] of patches.entries()) {
        const document = `mutation ($patch: ${type}Patch!) { update${type}(input: {rowId: "${ids[at]}", patch: $patch}) { clientMutationId } }`;
        answers.push(codes((await ada.graphql(document, { patch })).body.errors));
      }
      const expected = await db.asAdmin(`select body, note from app_public.${table} order by id`);
      await db.asAdmin(`update app_public.${table} set body = 'old', note = 'old'`);
      const { body } = await ada.graphql(
        `mutation ($updates: [Update${type}sItem!]!) { update${type}s(input: {updates: $updates}) { clientMutationId } }`,
        { updates: patches.map((patch, at) => ({ rowId: ids[at], patch })) },
      );
      expect([patches, codes(body.errors)]).toEqual([patches, answers.find((one) => one !== undefined)]);
      const stored = await db.asAdmin(`select body, note from app_public.${table} order by id`);
      if (!body.errors) expect(stored).toEqual(expected);
      await db.asAdmin(`delete from app_public.${table}`);
    }

    if (offers(`delete${type}`, `Delete${type}Input`, ['rowId'])) {
      const [first, second] = [await addRow(table), await addRow(table)];
      const one = await ada.graphql(`mutation { delete${type}(input: {rowId: "${first}"}) { clientMutationId } }`);
      const all = await ada.graphql(`mutation { delete${type}s(input: {rowIds: ["${second}"]}) { clientMutationId } }`);
      expect(codes(all.body.errors)).toEqual(codes(one.body.errors));
    }
  },
  120_000,
);

test('a bulk mutation inserts without a policy of SELECT, as the single one does, unless rows are selected', async () => {
  const documents = [
    'mutation { createDrop(input: {drop: {body: "x"}}) { clientMutationId } }',
    'mutation { createDrops(input: {drops: [{body: "x"}, {body: "y"}]}) { clientMutationId } }',
    'mutation { createDrops(input: {drops: [{body: "z"}]}) { clientMutationId drops @skip(if: true) { body } } }',
  ];
  for (const document of documents) expect((await ada.graphql(document)).body.errors).toBeUndefined();
  const selecting = [
    'mutation { createDrop(input: {drop: {body: "no"}}) { drop { rowId } } }',
    'mutation { createDrops(input: {drops: [{body: "no"}]}) { drops { rowId } } }',
  ];
  const [one, all] = await Promise.all(selecting.map(async (document) => (await ada.graphql(document)).body.errors));
  expect(codes(all)).toEqual(codes(one));
  expect(codes(one)).toHaveLength(1);
  const stored = await db.asAdmin('select body from app_public.drops order by body');
  expect(stored).toEqual(['x', 'x', 'y', 'z'].map((body) => ({ body })));
});
