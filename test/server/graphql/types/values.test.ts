import { Writable } from 'node:stream';
import { createLog } from '../../../../server/http/log.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { serve, signUp, type Tenant, type TestServer } from '../../../support/server.ts';

/** A value of Postgres that its GraphQL type cannot hold. */
const unservable = Symbol('unservable');

interface Sample {
  readonly type: string;
  /** By the value in SQL: the value in GraphQL. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Text after `value`, for objects. */
  readonly fields?: string;
}

const point = '{ x y }';
const range = '{ start { value inclusive } end { value inclusive } }';
const whole = (value: unknown, inclusive = true) => ({ value, inclusive });
const interval = (years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0) => ({
  ...{ years, months, days, hours, minutes, seconds },
});

/** Every builtin type with values from its ends and its middle. */
const samples: readonly Sample[] = [
  { type: 'boolean', values: { true: true, false: false } },
  { type: 'smallint', values: { '-32768': -32768, '32767': 32767 } },
  { type: 'int', values: { '-2147483648': -2147483648, '2147483647': 2147483647 } },
  {
    type: 'bigint',
    values: { '-9223372036854775808': '-9223372036854775808', '9007199254740993': '9007199254740993' },
  },
  { type: 'oid', values: { '0': 0, '2147483647': 2147483647, '4294967295': unservable } },
  { type: 'real', values: { '0.1': 0.1, '3.4e38': 3.4e38, NaN: unservable, Infinity: unservable } },
  {
    type: 'float8',
    values: { '0.1': 0.1, '1e308': 1e308, '5e-324': 5e-324, NaN: unservable, '-Infinity': unservable },
  },
  {
    type: 'numeric',
    values: {
      [`1${'0'.repeat(400)}.5`]: `1${'0'.repeat(400)}.5`,
      '-0.000000000000000000000001': '-0.000000000000000000000001',
      NaN: 'NaN',
      '-Infinity': '-Infinity',
    },
  },
  { type: 'money', values: { '-12.34': -12.34 } },
  { type: '"char"', values: { x: 'x' } },
  { type: 'char(3)', values: { a: 'a  ' } },
  { type: 'varchar', values: { '': '', 'a\nb"\\': 'a\nb"\\' } },
  { type: 'text', values: { '': '', '{"a":1}': '{"a":1}', '\u{1F333}': '\u{1F333}', NULL: 'NULL' } },
  { type: 'name', values: { pg_class: 'pg_class' } },
  {
    type: 'json',
    values: { null: null, '"x"': 'x', '[null]': [null], '{"a": null}': { a: null }, '0': 0, false: false },
  },
  { type: 'jsonb', values: { null: null, '""': '', '[]': [], '1e2': 100 } },
  { type: 'jsonpath', values: { '$.a[*]': '$."a"[*]' } },
  { type: 'xml', values: { '<a/>': '<a/>' } },
  { type: 'uuid', values: { '00000000-0000-0000-0000-000000000000': '00000000-0000-0000-0000-000000000000' } },
  { type: 'inet', values: { '10.0.0.1': '10.0.0.1', '::1/128': '::1', '10.0.0.0/8': '10.0.0.0/8' } },
  { type: 'cidr', values: { '10.0.0.0/8': '10.0.0.0/8' } },
  { type: 'macaddr', values: { '08:00:2b:01:02:03': '08:00:2b:01:02:03' } },
  { type: 'macaddr8', values: { '08:00:2b:01:02:03:04:05': '08:00:2b:01:02:03:04:05' } },
  { type: 'bit(3)', values: { '101': '101' } },
  { type: 'bit varying', values: { '': '', '10': '10' } },
  { type: 'bytea', values: { '': '', '\\x00ff': 'AP8=' } },
  {
    type: 'date',
    values: {
      '2026-12-01': '2026-12-01',
      '0044-03-15 BC': '0044-03-15 BC',
      '0001-01-01': '0001-01-01',
      '5874897-12-31': '5874897-12-31',
      infinity: 'infinity',
      '-infinity': '-infinity',
    },
  },
  {
    type: 'timestamp',
    values: {
      '2026-12-01 10:00': '2026-12-01T10:00:00.000000',
      '2026-12-01 10:00:00.12': '2026-12-01T10:00:00.120000',
      '4713-11-24 00:00:00 BC': '4713-11-24T00:00:00.000000 BC',
      '294276-12-31 23:59:59.999999': '294276-12-31T23:59:59.999999',
      infinity: 'infinity',
      '-infinity': '-infinity',
    },
  },
  {
    type: 'timestamptz',
    values: {
      '2026-12-01 10:00:00.123456+02': '2026-12-01T08:00:00.123456+00:00',
      '0044-03-15 00:00:00+00 BC': '0044-03-15T00:00:00.000000+00:00 BC',
      infinity: 'infinity',
      '-infinity': '-infinity',
    },
  },
  {
    type: 'time',
    values: { '00:00': '00:00:00.000000', '23:59:59.999999': '23:59:59.999999', '24:00': '24:00:00.000000' },
  },
  {
    type: 'timetz',
    values: {
      '10:00+02': '10:00:00.000000+02:00',
      '24:00-15:59': '24:00:00.000000-15:59',
      '10:00:00.5+05:30:15': '10:00:00.500000+05:30:15',
    },
  },
  {
    type: 'interval',
    fields: '{ years months days hours minutes seconds }',
    values: {
      '1 year 2 mons 3 days 04:05:06.5': interval(1, 2, 3, 4, 5, 6.5),
      '-0.5 sec': interval(0, 0, 0, 0, 0, -0.5),
      '-1 year -25 hours -1.000001 sec': interval(-1, 0, 0, -25, 0, -1.000001),
      '1 mon -1 day': interval(0, 1, -1),
      '2562047788 hours': unservable,
      infinity: unservable,
      '-infinity': unservable,
    },
  },
  {
    type: 'point',
    fields: point,
    values: { '(1.5,-2)': { x: 1.5, y: -2 }, '(NaN,1)': unservable, '(Infinity,1)': unservable },
  },
  {
    type: 'line',
    fields: `{ a ${point} b ${point} }`,
    values: {
      '{1,-1,2}': { a: { x: 0, y: 2 }, b: { x: 1, y: 3 } },
      '{1,0,-3}': { a: { x: 3, y: 0 }, b: { x: 3, y: 1 } },
    },
  },
  {
    type: 'lseg',
    fields: `{ a ${point} b ${point} }`,
    values: { '[(1,2),(3,4)]': { a: { x: 1, y: 2 }, b: { x: 3, y: 4 } } },
  },
  {
    type: 'box',
    fields: `{ a ${point} b ${point} }`,
    values: { '(3,4),(1,2)': { a: { x: 3, y: 4 }, b: { x: 1, y: 2 } } },
  },
  {
    type: 'path',
    fields: `{ points ${point} isOpen }`,
    values: { '[(1,2)]': { points: [{ x: 1, y: 2 }], isOpen: true } },
  },
  {
    type: 'polygon',
    fields: `{ points ${point} }`,
    values: {
      '((1e300,2),(3,4))': {
        points: [
          { x: 1e300, y: 2 },
          { x: 3, y: 4 },
        ],
      },
    },
  },
  {
    type: 'circle',
    fields: `{ center ${point} radius }`,
    values: { '<(1,2),0>': { center: { x: 1, y: 2 }, radius: 0 } },
  },
  { type: 'regclass', values: { pg_class: 'pg_class' } },
  { type: 'regtype', values: { integer: 'integer' } },
  {
    type: 'int4range',
    fields: range,
    values: {
      '[1,2147483647)': { start: whole(1), end: whole(2147483647, false) },
      '(,)': { start: null, end: null },
      empty: unservable,
    },
  },
  {
    type: 'int8range',
    fields: range,
    values: { '[1,9007199254740993)': { start: whole('1'), end: whole('9007199254740993', false) } },
  },
  {
    type: 'numrange',
    fields: range,
    values: { '(NaN,)': { start: whole('NaN', false), end: null }, empty: unservable },
  },
  {
    type: 'daterange',
    fields: range,
    values: {
      '[-infinity,infinity]': { start: whole('-infinity'), end: whole('infinity') },
      '["0044-03-15 BC",)': { start: whole('0044-03-15 BC'), end: null },
      empty: unservable,
    },
  },
  {
    type: 'tstzrange',
    fields: range,
    values: {
      '["2026-12-01 10:00+00",infinity)': {
        start: whole('2026-12-01T10:00:00.000000+00:00'),
        end: whole('infinity', false),
      },
    },
  },
  {
    type: 'tsrange',
    fields: range,
    values: { '(,"2026-12-01 10:00"]': { start: null, end: whole('2026-12-01T10:00:00.000000') } },
  },
];

let db: TestDatabase;
let server: Omit<TestServer, 'db'>;
let ada: Tenant;
let log = '';

const tableOf = (index: number) => `sample${index}`;

beforeAll(async () => {
  db = await createTestDatabase();
  await db.asAdmin(
    samples
      .map(
        ({ type }, index) => `
      create table app_public.${tableOf(index)} (
        user_id uuid not null default app_public.current_user_id() references app_public.users,
        id int generated always as identity, sql text, value ${type} not null, list ${type}[], missing ${type},
        primary key (user_id, id));
      alter table app_public.${tableOf(index)} enable row level security, force row level security;
      create policy own on app_public.${tableOf(index)} to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
      grant select, insert (sql, value, list) on app_public.${tableOf(index)} to hedgerow_tenant;`,
      )
      .join(''),
  );
  await db.asAdmin(`
    create type app_public.feeling as enum ('sad', 'glad');
    create table app_public.moods (
      user_id uuid not null default app_public.current_user_id() references app_public.users,
      id int not null, mood app_public.feeling, primary key (user_id, id));
    alter table app_public.moods enable row level security, force row level security;
    create policy own on app_public.moods to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
    grant select on app_public.moods to hedgerow_tenant`);
  const written = new Writable({
    write(chunk, _encoding, done) {
      log += chunk;
      done();
    },
  });
  server = await serve(db, { log: createLog('info', written) });
  ada = await signUp(server.app, 'ada');
  for (const [index, { type, values }] of samples.entries()) {
    await db.asAdmin(
      `insert into app_public.${tableOf(index)} (user_id, sql, value, list)
       select $1, text, text::${type}, array[text::${type}, null] from unnest($2::text[]) text`,
      [ada.id, Object.keys(values)],
    );
  }
}, 300_000);
afterAll(async () => {
  await server.close();
  await db.drop();
});

describe.each(samples.map((sample, index) => [sample.type, index] as const))('a value of %s', (_type, index) => {
  const { values, fields = '', type } = samples[index] as Sample;
  const table = tableOf(index);
  const read = async (columns: readonly string[], sql: string) => {
    const selected = columns.map((column) => `${column} ${fields}`).join(' ');
    const filter = `first: 1, filter: {sql: {equalTo: ${JSON.stringify(sql)}}}`;
    return (await ada.graphql(`{ ${table}s(${filter}) { nodes { ${selected} } } }`)).body;
  };

  test('is served as it is, and one without a form in GraphQL is a fault of the server', async () => {
    for (const [sql, expected] of Object.entries(values)) {
      if (expected !== unservable) {
        const nodes = [{ value: expected, list: [expected, null], missing: null }];
        expect([sql, await read(['value', 'list', 'missing'], sql)]).toEqual([
          sql,
          { data: { [`${table}s`]: { nodes } } },
        ]);
        continue;
      }
      for (const column of ['value', 'list']) {
        const { errors } = await read([column], sql);
        expect([sql, errors]).toMatchObject([sql, [{ extensions: { code: 'INTERNAL', id: expect.any(String) } }]]);
        expect(log).toContain(errors[0].extensions.id);
      }
    }
  }, 120_000);

  test('can be sent back as it was served', async () => {
    const name = `Sample${index}`;
    const document = `mutation ($value: ${name}Input!) { create${name}(input: {sample${index}: $value}) { sample${index} { id } } }`;
    for (const [sql, served] of Object.entries(values)) {
      if (served === unservable || served === null) continue;
      const value = { sql: `again ${sql}`, value: served, list: [served, null] };
      expect((await ada.graphql(document, { value })).body.errors).toBeUndefined();
    }
    const different = await db.asAdmin(
      `select a.sql, b.value::text from app_public.${table} a join app_public.${table} b on b.sql = 'again ' || a.sql
       where (a.value::text, a.list::text) is distinct from (b.value::text, b.list::text)`,
    );
    // A line has many pairs of points, and JSON many texts.
    if (!['json', 'line'].includes(type)) expect(different).toEqual([]);
  }, 120_000);
});

test.each([
  ['interval', '1 sec', 'infinity', '{ seconds }', { seconds: 1 }],
  ['int4range', '[1,2)', 'empty', range, { start: whole(1), end: whole(2, false) }],
  ['daterange', '(,)', 'empty', range, { start: null, end: null }],
  ['float8', '1.5', 'NaN', '', 1.5],
  ['point', '(1,2)', '(NaN,1)', point, { x: 1, y: 2 }],
])('a list of %s serves the items that have a form in GraphQL', async (type, fine, without, fields, expected) => {
  const table = tableOf(samples.findIndex((sample) => sample.type === type));
  await db.asAdmin(
    `insert into app_public.${table} (user_id, sql, value, list) values ($1, 'mixed', $2::${type}, array[$2, $3, null, $2]::${type}[])`,
    [ada.id, fine, without],
  );
  const { body } = await ada.graphql(
    `{ ${table}s(first: 1, filter: {sql: {equalTo: "mixed"}}) { nodes { list ${fields} } } }`,
  );
  const [{ list }] = body.data[`${table}s`].nodes;
  expect([list[0], list[2], list[3]]).toEqual([expected, null, expected]);
  expect(body.errors).toMatchObject([{ extensions: { code: 'INTERNAL', id: expect.any(String) } }]);
  expect(body.errors[0].path.slice(0, 5)).toEqual([`${table}s`, 'nodes', 0, 'list', 1]);
  expect(log).toContain(body.errors[0].extensions.id);
});

test.each(['json', 'jsonb'])('numbers in %s are served with all of their digits', async (type) => {
  const table = tableOf(samples.findIndex((sample) => sample.type === type));
  const json = '{"id": 9007199254740993, "parts": [0.12345678901234567890123, 1]}';
  await db.asAdmin(
    `insert into app_public.${table} (user_id, sql, value, list) values ($1, 'exact', $2, array['18446744073709551615', null, $2]::${type}[])`,
    [ada.id, json],
  );
  const { text } = await ada.graphql(`{ ${table}s(filter: {sql: {equalTo: "exact"}}) { nodes { value list } } }`);
  const served = json.replaceAll(' ', '');
  expect(text).toBe(
    `{"data":{"${table}s":{"nodes":[{"value":${served},"list":[18446744073709551615,null,${served}]}]}}}`,
  );
});

test.each(['bigint', 'numeric'])('a number that may have lost digits is refused for %s', async (type) => {
  const index = samples.findIndex((sample) => sample.type === type);
  const document = `mutation ($value: Sample${index}Input!) { createSample${index}(input: {sample${index}: $value}) { sample${index} { value } } }`;
  const create = async (value: unknown) => (await ada.graphql(document, { value: { sql: 'digits', value } })).body;
  expect((await create(2 ** 53)).errors).toMatchObject([
    { message: expect.stringContaining('only as a string'), extensions: { code: 'BAD_USER_INPUT' } },
  ]);
  for (const value of ['9007199254740993', 9007199254740991, 7]) {
    expect((await create(value)).data[`createSample${index}`][`sample${index}`].value).toBe(String(value));
  }
});

test('a label that an enum gets while the server runs is a fault of the server', async () => {
  await db.asAdmin("alter type app_public.feeling add value 'new'");
  await db.asAdmin("insert into app_public.moods values ($1, 1, 'sad'), ($1, 2, 'new')", [ada.id]);
  const { body } = await ada.graphql('{ moods { nodes { mood } } }');
  expect(body.data.moods.nodes).toEqual([{ mood: 'sad' }, { mood: null }]);
  expect(body.errors).toMatchObject([
    {
      message: 'Something went wrong on our side.',
      extensions: { code: 'INTERNAL' },
      path: ['moods', 'nodes', 1, 'mood'],
    },
  ]);
  expect(log).toContain(body.errors[0].extensions.id);
});

test('an array whose bounds do not begin at 1 is served with all of its items', async () => {
  const index = samples.findIndex(({ type }) => type === 'int');
  await db.asAdmin(
    `insert into app_public.${tableOf(index)} (user_id, sql, value, list) values ($1, 'bounds', 1, '[0:1]={7,8}')`,
    [ada.id],
  );
  const { body } = await ada.graphql(`{ ${tableOf(index)}s(filter: {sql: {equalTo: "bounds"}}) { nodes { list } } }`);
  expect(body).toEqual({ data: { [`${tableOf(index)}s`]: { nodes: [{ list: [7, 8] }] } } });
});
