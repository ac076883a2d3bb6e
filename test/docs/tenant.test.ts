import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../common/root.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type Block, blocksOf, fileName } from './page.ts';
import { differences, parseExample } from './shape.ts';
import { type Answer, type Run, runBlocks } from './shell.ts';

const blocks = await blocksOf('tenant.md');
const files = blocks.filter(({ language }) => language === 'ts');
const steps = blocks
  .filter(({ language }) => language === 'sh')
  .map((step, index, all) => {
    const [from, to] = [blocks.indexOf(step), blocks.indexOf(all[index + 1] as Block)];
    const shown = blocks.slice(from + 1, to < 0 ? undefined : to);
    const next = (wanted: string) => shown.find(({ language }) => language === wanted);
    return { ...step, json: next('json'), output: next('text') };
  });
const named = steps.map((step, index) => [`${step.heading}, line ${step.line}`, index] as const);

let directory: string;
let server: TestServer;
let listener: Server;
let url: string;
let runs: Run[];

// A package like the reader's, with what this repository has installed.
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hedgerow-docs-'));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  await copyFile(join(root, 'schema.graphql'), join(directory, 'schema.graphql'));
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
  for (const file of files) await writeFile(join(directory, fileName(file) as string), file.text);
  // The usual limits: who follows the page must not run into them.
  server = await startTestServer({ limitFactor: 1, mail: { directory: join(directory, '.data', 'mail') } });
  listener = server.app.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const here = steps.map((step) => ({ ...step, text: step.text.replace(/^URL=.*$/m, `URL=${url}`) }));
  runs = await runBlocks(here, directory);
}, 600_000);
afterAll(async () => {
  listener.closeAllConnections();
  await new Promise((resolve) => listener.close(resolve));
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

/** The differences between a run and the page. */
function complaint(run: Run, json: Block | undefined): unknown {
  const shown = json && parseExample(json.text);
  const example = run.answers.findLast(({ body }) => body !== '');
  const wrong = run.answers.filter((answer) => {
    const expected = answer === example ? shown : undefined;
    if (typeof expected?.status === 'number') return answer.status !== expected.status;
    return answer.status < 200 || answer.status > 299 || (hasErrors(answer) && expected?.errors === undefined);
  });
  const differ = shown && (example ? differences(shown, JSON.parse(example.body)) : ['nothing was answered']);
  return { code: run.code, wrong, differ: differ ?? [], ...(run.code !== 0 && { stderr: run.stderr }) };
}
const hasErrors = ({ body }: Answer) => body.startsWith('{') && 'errors' in JSON.parse(body);

test.each(named)('%s', (_name, index) => {
  const [step, run] = [steps[index] as (typeof steps)[number], runs[index] as Run];
  expect(complaint(run, step.json)).toEqual({ code: 0, wrong: [], differ: [] });
  if (step.output) expect(run.stdout.trimEnd()).toBe(step.output.text);
});

const run = promisify(execFile);

const options = [
  ...['--strict', '--noUncheckedIndexedAccess', '--erasableSyntaxOnly', '--verbatimModuleSyntax'],
  ...['--noEmit', '--allowImportingTsExtensions', '--module', 'nodenext', '--target', 'es2024', '--types', 'node'],
  // Declarations of packages are not the reader's files.
  '--skipLibCheck',
];

/** The type checker's errors about files of the reader's package. */
async function check(names: readonly string[]): Promise<string> {
  const checked = run('tsc', [...options, ...names], { cwd: directory });
  return (await checked.catch((error: { stdout: string }) => error)).stdout;
}

test('every file of the page has a name, and the type checker has nothing against it', async () => {
  const names = files.map(fileName);
  expect(names).toEqual(expect.arrayContaining(['codegen.ts', 'client.ts', 'todos.ts']));
  expect(names).not.toContain(undefined);
  expect(await check(names as string[])).toBe('');
});

test('the type checker knows what a document takes and gives', async () => {
  const text = `import { signIn } from './client.ts';
import { TodosToPaintDocument } from './gql/graphql.ts';

const request = await signIn('', '', '');
const { todos } = await request(TodosToPaintDocument, { after: 1 });
export const nothing = todos?.nodes[0]?.nothing;
`;
  await writeFile(join(directory, 'wrong.ts'), text);
  expect((await check(['wrong.ts'])).match(/^wrong\.ts\(\d+/gm)).toEqual(['wrong.ts(5', 'wrong.ts(6']);
});

test('requests of the client that find the token expired wait for one refresh', async () => {
  const account = { email: 'erin@example.com', username: 'erin', password: 'a long password' };
  await fetch(`${url}/auth/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(account),
  });
  await writeFile(
    join(directory, 'expired.ts'),
    `import { signIn } from './client.ts';
import { TodosToPaintDocument } from './gql/graphql.ts';

const real = globalThis.fetch;
const sent: string[] = [];
let expired = true;
globalThis.fetch = async (input, init) => {
  const headers = new Headers(init?.headers);
  if (expired) headers.set('Authorization', 'Bearer expired');
  const answer = await real(input, { ...init, headers });
  const { pathname } = new URL(String(input));
  sent.push(pathname + ' ' + answer.status);
  if (pathname === '/auth/refresh') expired = false;
  return answer;
};
const request = await signIn(${JSON.stringify(url)}, '${account.email}', '${account.password}');
await Promise.all([1, 2, 3].map(() => request(TodosToPaintDocument, {})));
console.log(JSON.stringify(sent.sort()));
`,
  );
  const { stdout } = await run(process.execPath, ['expired.ts'], { cwd: directory });
  expect(JSON.parse(stdout)).toEqual([
    '/auth/login 200',
    '/auth/refresh 200',
    ...Array(3).fill('/graphql 200'),
    ...Array(3).fill('/graphql 401'),
  ]);
});
