import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { buildServedApi, lintSchema } from '../../dba/servedApi/lintSchema.ts';
import { inspectCatalog } from '../../lint/catalog.ts';
import { isTextRule, readRules } from '../../lint/rules.ts';
import { inspectText } from '../../lint/text.ts';
import { openTestDatabase } from '../support/database.ts';

// Not the owner: some of the bad cases change roles.
const { client } = await openTestDatabase();

const rules = await readRules();
const cases = join(root, 'test', 'lint', 'rules');

/** A rule's case: the objects that it finds in the bad SQL, that SQL, and the same without what was bad about it. */
async function readCase(rule: string): Promise<{ expected: string[]; bad: string; fixed: string }> {
  const text = await readFile(join(cases, `${rule}.sql`), 'utf8');
  const [bad = '', fixed] = text.split(/^-- fixed:\n/m);
  if (fixed === undefined) throw new Error(`${rule}.sql has no line "-- fixed:"`);
  return { expected: [...bad.matchAll(/^-- expect: (.*)$/gm)].map(([, object]) => object as string), bad, fixed };
}

test('the schema as it is has no findings', async () => {
  expect((await lintSchema(client, 'current')).findings).toEqual([]);
});

test.each(rules)('$name finds its bad case and nothing in the fixed one', async (rule) => {
  const { expected, bad, fixed } = await readCase(rule.name);
  const found = async (sql: string) => {
    if (isTextRule(rule)) return (await inspectText([{ file: 'current.sql', sql, committed: false }], [rule])).findings;
    await client.query('begin');
    try {
      await client.query(sql);
      await client.query('set local search_path = pg_catalog');
      return await inspectCatalog(client, [rule], buildServedApi);
    } finally {
      await client.query('rollback');
    }
  };
  expect(expected).not.toEqual([]);
  expect((await found(bad)).map(({ object }) => object).sort()).toEqual(expected.sort());
  expect(await found(fixed)).toEqual([]);
});

test('the index lists every rule, and nothing else', async () => {
  const index = await readFile(join(root, 'docs', 'lint', 'README.md'), 'utf8');
  expect(index.match(/^- \[.*$/gm)).toEqual(
    rules.map(({ name, level, title }) => `- [${name}](${name}.md) (${level}): ${title}`),
  );
});

test('each rule has a case and a page with every section, and there are no others', async () => {
  const names = rules.map(({ name }) => name);
  expect(await readdir(cases)).toEqual(names.map((name) => `${name}.sql`));
  expect((await readdir(join(root, 'docs', 'lint'))).filter((file) => file !== 'README.md')).toEqual(
    names.map((name) => `${name}.md`),
  );
  for (const name of names) {
    const page = await readFile(join(root, 'docs', 'lint', `${name}.md`), 'utf8');
    expect(page).toMatch(new RegExp(`^# \`${name}\`\n`));
    expect([...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual([
      'Why',
      'Fix it',
      'When to suppress it',
    ]);
    expect(page).toMatch(/^```sql$/m);
  }
});
