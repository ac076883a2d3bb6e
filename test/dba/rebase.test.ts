import { readdir, readFile, writeFile } from 'node:fs/promises';
import { calculateHash, serializeMigration } from '../../postgres/internals/graphileMigrate.ts';
import { openWorkbench } from '../support/verbs.ts';

const workbench = await openWorkbench();
afterAll(() => workbench.remove());

const { db, file } = workbench;
const read = (...path: string[]) => readFile(file(...path), 'utf8');
const committed = () => readdir(file('migrations', 'committed'));
const current = (sql: string) => writeFile(file('current.sql'), sql);

/** A migration behind `parent`, as git brings it: a file that no database here has run. */
async function fromElsewhere(parent: string, name: string, sql: string): Promise<string> {
  const hash = /^--! Hash: (.*)$/m.exec(await read('migrations', 'committed', parent))?.[1] as string;
  const filename = `${String(Number.parseInt(parent, 10) + 1).padStart(6, '0')}-${name}.sql`;
  const headers = { Previous: hash, Hash: calculateHash(sql, hash), Message: name };
  await writeFile(file('migrations', 'committed', filename), serializeMigration(sql, headers));
  return filename;
}

const table = (name: string) => `drop table if exists app_private.${name};\ncreate table app_private.${name} (id int);`;
const fixture = 'functions/app_private.set_updated_at.sql';

test('rebase renumbers a migration with a duplicate number and includes its fixtures again', async () => {
  const before = await committed();
  await writeFile(file('migrations', 'fixtures', fixture), `-- mine\n${await read('migrations', 'fixtures', fixture)}`);
  await current(`${table('mine')}\n--! include ${fixture}\n`);
  expect(await db('commit', '-m', 'mine')).toMatchObject({ code: 0 });
  await fromElsewhere(before.at(-1) as string, 'theirs', table('theirs'));
  await writeFile(file('migrations', 'fixtures', fixture), `-- both\n${await read('migrations', 'fixtures', fixture)}`);

  const broken = await db('check-chain');
  expect(broken).toMatchObject({ code: 1, output: expect.stringContaining('have the same number') });
  expect(await db('migrate')).toMatchObject({ code: 2, output: expect.stringContaining('have the same number') });
  expect(await db('status')).toMatchObject({ code: 1, output: expect.stringContaining('have the same number') });

  expect(await db('rebase')).toMatchObject({ code: 0 });
  const added = (await committed()).filter((name) => !before.includes(name));
  expect(added).toEqual([expect.stringMatching(/^\d+-theirs\.sql$/), expect.stringMatching(/^\d+-mine\.sql$/)]);
  expect(await read('migrations', 'committed', added[1] as string)).toContain('-- both\n-- mine\n');
  expect(await read('current.sql')).not.toContain('mine');
  expect(await db('check-chain')).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 0 });
  expect(await db('rebase')).toMatchObject({ code: 0, output: expect.stringContaining('nothing to do') });
}, 120_000);

test('a migration that fails after the others stays unchanged', async () => {
  const parent = (await committed()).at(-1) as string;
  await current('alter table app_private.theirs add column if not exists more int;\n');
  expect(await db('commit', '-m', 'alters')).toMatchObject({ code: 0 });
  await fromElsewhere(parent, 'drops', 'drop table if exists app_private.theirs;');

  const names = await committed();
  const failed = await db('rebase');
  expect(failed).toMatchObject({ code: 2, output: expect.stringContaining('does not exist') });
  expect(await committed()).toEqual(names);
  const mine = names.find((name) => name.endsWith('-alters.sql')) as string;
  expect(failed.output).toContain(`rebase --mine ${mine}`);

  const path = file('migrations', 'committed', mine);
  await writeFile(path, (await readFile(path, 'utf8')).replaceAll('alter table', 'alter table if exists'));
  expect(await db('rebase')).toMatchObject({ code: 2, output: expect.stringContaining('--mine') });
  expect(await db('rebase', '--mine', mine)).toMatchObject({ code: 0 });
  expect(await db('status')).toMatchObject({ code: 0 });
}, 120_000);

test('rebase does not overwrite current.sql', async () => {
  await current('select 1;\n');
  expect(await db('rebase')).toMatchObject({ code: 2, output: expect.stringContaining('current.sql is not empty') });
  expect(await read('current.sql')).toBe('select 1;\n');
});
