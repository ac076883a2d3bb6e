import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { root } from '../../common/root.ts';
import { buildServedApi } from '../../dba/servedApi/lintSchema.ts';
import { inspectCatalog } from '../../lint/catalog.ts';
import { readRules } from '../../lint/rules.ts';
import { openTestDatabase } from '../support/database.ts';

const { client } = await openTestDatabase();

const [ada, bob, list] = ['aa', 'ab', 'ac'].map((letters) => `${letters.repeat(4)}-0000-4000-8000-000000000000`) as [
  string,
  string,
  string,
];

/** Two tenants with a note each. The notes differ only in their owner. Each tenant has a list, with the same id. */
const rows = `
  insert into app_public.users (id, email, username) values ('${ada}', 'a@example.com', 'ada'), ('${bob}', 'b@example.com', 'bob');
  insert into app_public.lists (user_id, id, name) values ('${ada}', '${list}', 'x'), ('${bob}', '${list}', 'x');
  insert into app_public.notes (user_id, list_id, members, title)
    select id, '${list}', array[id], 'x' from app_public.users;
  grant select on app_public.notes to hedgerow_tenant;
  grant execute on all functions in schema app_private to hedgerow_tenant;
  grant usage on schema app_private to hedgerow_tenant;`;

/** Reads the two halves of a rule's test case: the bad SQL and the fixed SQL. */
async function readCase(rule: string): Promise<string[]> {
  return (await readFile(join(root, 'test', 'lint', 'rules', `${rule}.sql`), 'utf8')).split('-- fixed:\n');
}

/**
 * Returns the owners of the notes that `tenant` sees under `policies` alone. An empty `tenant` stands for no tenant.
 */
async function visibleOwners(sql: string, tenant: string, policies = /./): Promise<string[]> {
  await client.query('begin');
  try {
    await client.query(sql + rows);
    const { rows: found } = await client.query<{ polname: string }>(
      "select polname from pg_policy where polrelid = 'app_public.notes'::regclass",
    );
    const others = found.filter(({ polname }) => !policies.test(polname));
    await client.query(
      others.map(({ polname }) => `drop policy ${client.escapeIdentifier(polname)} on app_public.notes`).join(';'),
    );
    await client.query(
      `set local role hedgerow_tenant; set local app.current_user_id = '${tenant}'; set local app.tenant = '${ada}'`,
    );
    return (await client.query('select user_id from app_public.notes order by 1')).rows.map(({ user_id }) => user_id);
  } finally {
    await client.query('rollback');
  }
}

test('accepted policies show each tenant only their own rows, and show none without a tenant', async () => {
  const [, accepted = ''] = await readCase('policy-without-tenant');
  expect(await visibleOwners(accepted, bob)).toEqual([bob]);
  expect(await visibleOwners(accepted, '')).toEqual([]);
});

test.each([
  ['policy-without-tenant', bob],
  ['policy-always-true', bob],
  ['policy-treats-null-as-everyone', ''],
])('each policy that %s finds shows a row of another tenant', async (rule, tenant) => {
  const [bad = ''] = await readCase(rule);
  const names = [...bad.matchAll(/^create policy (\w+) on .* for select/gm)].map(([, name]) => name as string);
  expect(names.length).toBeGreaterThan(5);
  const tight: string[] = [];
  for (const name of names) {
    if (!(await visibleOwners(bad, tenant, new RegExp(`^${name}$`))).includes(ada)) tight.push(name);
  }
  expect(tight).toEqual([]);
});

const me = '(select app_public.current_user_id())';
const condition = fc.letrec<Record<'condition' | 'atom' | 'several', string>>((tie) => ({
  condition: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('atom'), tie('several')),
  atom: fc.constantFrom(
    ...[
      'true',
      'false',
      'null::boolean',
      'hidden',
      'user_id = user_id',
      'user_id is null',
      'list_id is not null',
      "title = 'x'",
    ],
    ...['user_id', 'shared_with', 'list_id', `coalesce(shared_with, ${me})`, `coalesce(${me}, user_id)`].flatMap(
      (column) => ['=', '<>', '<', 'is distinct from', 'is not distinct from'].map((by) => `${column} ${by} ${me}`),
    ),
    ...[`${me} is null`, `${me} is not null`, `${me} = any (members)`, `user_id = any (array[${me}, shared_with])`],
    ...[`user_id = coalesce(${me}, user_id)`, `user_id in (select u.id from app_public.users u where u.id = ${me})`],
    ...['', ' and l.id = list_id', ' and l.user_id = notes.user_id'].map(
      (also) => `exists (select from app_public.lists l where l.user_id = ${me}${also})`,
    ),
    ...['true', 'l.user_id = u.id', 'l.id <> u.id'].map(
      (joined) => `exists (select from app_public.everybody u join app_public.lists l on ${joined}
        where u.id = notes.user_id and l.user_id = ${me})`,
    ),
    ...["= 'x'", 'is null', 'is not null', `<> ${me}::text`].flatMap((by) =>
      ['l.user_id = notes.user_id', 'l.id = list_id', 'true'].map(
        (joined) => `(select l.name from app_public.lists l where ${joined} and l.user_id = ${me}) ${by}`,
      ),
    ),
    ...['l.id', 'l.user_id'].map(
      (column) => `list_id in (select ${column} from app_public.lists l where l.user_id = ${me})`,
    ),
  ),
  several: fc.oneof(
    fc
      .tuple(tie('condition'), fc.constantFrom('and', 'or'), tie('condition'))
      .map(([left, word, right]) => `(${left}) ${word} (${right})`),
    fc
      .tuple(fc.constantFrom('not', '(select', 'coalesce(null::boolean,'), tie('condition'))
      .map(([word, one]) => (word === 'not' ? `not (${one})` : `${word} (${one}))`)),
    fc
      .tuple(tie('condition'), fc.constantFrom('true', 'not true', 'false', 'not false', 'unknown', 'not unknown'))
      .map(([one, what]) => `(${one}) is ${what}`),
    fc.tuple(tie('condition'), tie('condition')).map(([one, other]) => `coalesce((${one}), (${other}))`),
    fc
      .tuple(tie('condition'), tie('condition'), tie('condition'))
      .map(([when, one, other]) => `case when ${when} then ${one} else ${other} end`),
  ),
})).condition;

test('a condition that the rules accept never shows a row of another tenant, or any row without a tenant', async () => {
  const names = ['policy-without-tenant', 'policy-always-true', 'policy-treats-null-as-everyone'];
  const rules = (await readRules()).filter(({ name }) => names.includes(name));
  const [bad = ''] = await readCase('policy-without-tenant');
  await client.query('begin');
  try {
    await client.query(`${bad.slice(0, bad.indexOf('create policy'))}${rows}
      insert into app_public.notes (user_id, title, hidden) select id, 'y', true from app_public.users;
      set local search_path = pg_catalog`);
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(condition, async (using) => {
        await client.query('savepoint before');
        try {
          await client.query(`create policy p on app_public.notes for select to hedgerow_tenant using (${using})`);
          if ((await inspectCatalog(client, rules, buildServedApi)).length > 0) return;
          accepted += 1;
          await client.query('set local role hedgerow_tenant');
          for (const tenant of [bob, '']) {
            await client.query(`set local app.current_user_id = '${tenant}'`);
            const { rows: found } = await client.query('select user_id from app_public.notes');
            expect(found.every(({ user_id }) => user_id === tenant)).toBe(true);
          }
        } finally {
          await client.query('rollback to savepoint before');
        }
      }),
      { numRuns: 100 },
    );
    expect(accepted).toBeGreaterThan(10);
  } finally {
    await client.query('rollback');
  }
});
