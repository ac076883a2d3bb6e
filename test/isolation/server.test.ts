import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { Client } from '../../isolation/api/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';

let db: TestDatabase;
/** The address of a server in development, which allows introspection. */
let url: string;

beforeAll(async () => {
  db = await createTestDatabase();
  // All runs register accounts from one address, so raise the rate limit.
  url = await spawnServer({ ...productionEnv(db), NODE_ENV: 'development', AUTH_LIMIT_FACTOR: '100' }).url;
});
afterAll(async () => {
  await killServers();
  await db.drop();
});

/** Runs the prover against a server and resolves with its exit code and output. */
function isolation(url: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
    const given = { PATH, HOME, NODE_COMPILE_CACHE, ...env };
    const command = [join(root, 'isolation', 'main.ts'), '--server', url, ...args];
    const child = execFile(process.execPath, command, { env: given }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

const users = () => db.asAdmin('select from app_public.users');

test('an attack on a running server uses only HTTP and leaves nothing behind', async () => {
  const { code, stdout } = await isolation(url, ['--table', 'lists']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Proven') });
  expect(stdout).toMatch(/List +\d+ +\d+ +\d+ +\d+/);
  expect(await users()).toEqual([]);
}, 90_000);

test('an attack on a running server includes the rows of organizations, which it deletes', async () => {
  const { code, stdout } = await isolation(url, ['--table', 'projects']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Proven') });
  expect(stdout).toMatch(/Project +\d+ +\d+ +\d+ +\d+/);
  expect(await users()).toEqual([]);
  expect(await db.asAdmin('select from app_public.organizations')).toEqual([]);
}, 90_000);

test('the prover finds a policy that lets every tenant change rows', async () => {
  await db.asAdmin('alter policy select_own on app_public.lists using (true)');
  await db.asAdmin('alter policy update_own on app_public.lists using (true) with check (true)');
  try {
    const { code, stdout } = await isolation(url, ['--table', 'lists']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/LEAK {2}List: scan/);
    expect(stdout).toMatch(/changed A's rows: read again as A, through the API/);
    expect(await users()).toEqual([]);
  } finally {
    await db.asAdmin(
      'alter policy select_own on app_public.lists using (user_id = (select app_public.current_user_id()))',
    );
    await db.asAdmin(`alter policy update_own on app_public.lists using (user_id = (select app_public.current_user_id()))
      with check (user_id = (select app_public.current_user_id()))`);
  }
}, 90_000);

test('a server without introspection is attacked with a schema file', async () => {
  const silent = await spawnServer(productionEnv(db)).url;
  expect(await isolation(silent, [])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--graphql-schema FILE'),
  });
  expect(await users()).toEqual([]);
  const file = join(root, 'schema.graphql');
  const { code, stdout } = await isolation(silent, ['--table', 'audit_events', '--graphql-schema', file]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Proven') });
}, 90_000);

test('existing accounts are used and not deleted', async () => {
  const client = new Client(url);
  const passwords = { alice: 'a long password of A', bruno: 'a long password of B' };
  for (const [username, password] of Object.entries(passwords)) {
    const email = `${username}@example.com`;
    const { status } = await client.send('POST', '/auth/register', undefined, { email, username, password });
    expect(status).toBe(201);
  }
  client.close();
  const args = ['--table', 'audit_events', '--as-a', 'alice@example.com', '--as-b', 'bruno@example.com'];
  expect(await isolation(url, args)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ISOLATION_PASSWORD_A'),
  });
  const env = { ISOLATION_PASSWORD_A: passwords.alice, ISOLATION_PASSWORD_B: passwords.bruno };
  const { code, stdout } = await isolation(url, args, env);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Proven') });
  expect(await users()).toHaveLength(2);
}, 90_000);

test('a rate-limited client waits for the time in the Retry-After header', async () => {
  let requests = 0;
  const busy = createServer((_, response) => {
    requests++;
    if (requests > 1) return response.end('{}');
    response.writeHead(429, { 'retry-after': '1' }).end('{}');
  }).listen(0, '127.0.0.1');
  await once(busy, 'listening');
  const lines: string[] = [];
  const client = new Client(`http://127.0.0.1:${(busy.address() as AddressInfo).port}`, (line) => lines.push(line));
  expect(await client.send('POST', '/auth/register')).toMatchObject({ status: 200 });
  expect(lines).toEqual(['/auth/register answered 429: waiting for 1 s']);
  client.close();
  busy.close();
});
