import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../../common/root.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hedgerow-documents-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

function run(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [join(root, 'documents', 'main.ts'), ...args], (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

const extract = () => run(join(folder, 'client'), '--out', join(folder, 'out'));

test('the operations of a client become documents, with their fragments, and a manifest', async () => {
  await write({
    'client/list.tsx': `const row = gql\`fragment Row on Todo { rowId title ...Dates }\`;
      const list = graphql(\`query List($first: Int) { todos(first: $first) { nodes { ...Row } } }\`);
      export const List = () => <p>{list}</p>;`,
    'client/deep/dates.graphql': 'fragment Dates on Todo { dueDate } fragment Unused on Todo { title }',
    'client/create.js': `export const create = gql\`
      mutation Create($todo: TodoInput!) { createTodo(input: {todo: $todo}) { todo { ...Row } } }
      \${row}
    \`;`,
    'client/one.ts': `export const one = gql\`query One($id: UUID!) { todo(rowId: $id) { title } }\` as string;`,
    'client/view.jsx': 'export const view = <a>{graphql(`query Me { currentUser { email } }`)}</a>;',
    'client/node_modules/other/index.js': 'gql`query Foreign { nothing }`',
    'client/readme.md': 'gql`query Readme { nothing }`',
  });
  expect(await extract()).toEqual({ code: 0, output: expect.stringContaining('Wrote 4 documents') });
  const manifest = JSON.parse(await readFile(join(folder, 'out', 'manifest.json'), 'utf8'));
  expect(Object.keys(manifest)).toEqual(['Create', 'List', 'Me', 'One']);
  const texts: Record<string, string> = {};
  for (const [name, id] of Object.entries<string>(manifest)) {
    const text = await readFile(join(folder, 'out', `${id}.graphql`), 'utf8');
    expect(createHash('sha256').update(text).digest('hex')).toBe(id);
    texts[name] = text.replace(/\s+/g, ' ');
  }
  expect(texts.List).toBe(
    'query List($first: Int) { todos(first: $first) { nodes { ...Row } } } ' +
      'fragment Row on Todo { rowId title ...Dates } fragment Dates on Todo { dueDate }',
  );
  expect(texts.Me).toBe('query Me { currentUser { email } }');
});

test('a document keeps its id however it is laid out, and older ones stay', async () => {
  await write({ 'client/a.graphql': 'query Me { currentUser { email } }' });
  await extract();
  const [id] = (await readdir(join(folder, 'out'))).filter((name) => name.endsWith('.graphql'));
  await write({ 'client/a.graphql': 'query Me {\n  currentUser {\n    email # theirs\n  }\n}' });
  await extract();
  expect(await readdir(join(folder, 'out'))).toEqual([id, 'manifest.json']);
  await write({ 'client/a.graphql': 'query Me { currentUser { username } }' });
  await extract();
  expect(await readdir(join(folder, 'out'))).toHaveLength(3);
});

test('all that is wrong is said, and nothing is written', async () => {
  await write({
    'client/a.graphql': 'query Same { currentUser { email } }',
    'client/b.ts': `export const b = gql\`query Same { currentUser { username } }\`;`,
    'client/c.graphql': '{ currentUser { email } }',
    'client/d.graphql': 'query Secret { currentUser { password } }',
    'client/e.graphql': 'query Open { todos {',
    'client/f.graphql': 'query Deep { todos { nodes { ...Nowhere } } }',
  });
  const { code, output } = await extract();
  expect(code).toBe(1);
  for (const said of [
    /b\.ts: Same is already in .*a\.graphql/,
    /c\.graphql: an operation has no name/,
    /d\.graphql: Secret: Cannot query field "password" on type "User"\./,
    /e\.graphql: Syntax Error: Expected Name, found <EOF>\./,
    /f\.graphql: Deep: Unknown fragment "Nowhere"\./,
  ]) {
    expect(output).toMatch(said);
  }
  expect(await readdir(folder)).toEqual(['client']);
});

test('a path that is not there cannot be read', async () => {
  expect(await extract()).toMatchObject({ code: 2, output: expect.stringContaining('no such file') });
});
