import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../../common/root.ts';
import { signUp, startTestServer, type TestServer } from '../../support/server.ts';

// In the checkout, where the client's import is found.
const folder = join(root, '.data', `docs-${process.pid}`);

let server: TestServer;
let client: ChildProcess | undefined;
beforeAll(async () => {
  server = await startTestServer();
  await mkdir(folder, { recursive: true });
});
afterAll(async () => {
  if (client) {
    client.kill('SIGKILL');
    await once(client, 'close');
  }
  await rm(folder, { recursive: true });
  await server.close();
});

test('the live client of docs/tenant.md prints a change', async () => {
  const [, code] = /```ts\n\/\/ live\.ts\n(.*?)```/s.exec(await readFile('docs/tenant.md', 'utf8')) ?? [];
  await writeFile(join(folder, 'live.ts'), code as string);
  const { token, graphql } = await signUp(server.app, 'ada');
  const env = { PATH: process.env.PATH, URL: await server.listen(), TOKEN: token };
  client = spawn(process.execPath, [join(folder, 'live.ts')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [client.stdout, client.stderr]) stream?.on('data', (data) => (output += String(data)));
  // When the subscription begins is not told: one of them comes after.
  const create = 'mutation { createTodo(input: {todo: {title: "from the docs"}}) { todo { rowId } } }';
  while (!output) await graphql(create);
  expect(output).toMatch(/^INSERT [0-9a-f-]{36} from the docs$/m);
});
