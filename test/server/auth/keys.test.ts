import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { root } from '../../../common/root.ts';
import type { AuthSettings } from '../../../server/auth/auth.ts';
import { type PrivateJwk, privateKeys } from '../../../server/auth/tokens/privateKeys.ts';
import { requestTo } from '../../support/requestTo.ts';
import { graphql, jwtSecret, serve, startTestServer, type TestServer } from '../../support/server.ts';
import { signingKey } from '../../support/signingKeys.ts';

type Instance = Omit<TestServer, 'db'>;
type KeySettings = Pick<AuthSettings, 'jwtSecret' | 'privateKeys'>;

let first: TestServer;
const others: Instance[] = [];
beforeAll(async () => {
  first = await startTestServer();
});
afterAll(async () => {
  await Promise.all(others.map((instance) => instance.close()));
  await first.close();
});

/** Another server on the same database. */
async function instance(keys: KeySettings): Promise<Instance> {
  const server = await serve(first.db, { keys });
  others.push(server);
  return server;
}

let names = 0;
async function tokenOf({ app }: Pick<Instance, 'app'>): Promise<string> {
  const username = `keys-${names++}`;
  const account = { email: `${username}@example.com`, username, password: 'a long password' };
  const { body } = await requestTo(app).post('/auth/register').send(account).expect(201);
  return body.accessToken;
}

const me = async ({ app }: Pick<Instance, 'app'>, token: string) => {
  const { status } = await requestTo(app).get('/auth/me').auth(token, { type: 'bearer' });
  const api = await graphql(app, token, '{ currentUser { username } }');
  expect(api.status).toBe(status);
  return status;
};

const published = ({ app }: Pick<Instance, 'app'>) => requestTo(app).get('/.well-known/jwks.json').expect(200);

test('with a secret alone, tokens name no key and none is published', async () => {
  expect(decodeProtectedHeader(await tokenOf(first))).toEqual({ alg: 'HS256', typ: 'JWT' });
  const { body, headers } = await published(first);
  expect(body).toEqual({ keys: [] });
  expect(headers).toMatchObject({
    'cache-control': 'public, max-age=300',
    'content-type': expect.stringMatching(/^application\/json\b/),
  });
});

test('of private keys the first signs, all verify, and nothing private is published', async () => {
  const [one, two] = [signingKey('one'), signingKey('two')];
  const both = await instance({ privateKeys: [one, two] });
  const second = await instance({ privateKeys: [two] });
  const token = await tokenOf(both);
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'JWT', kid: 'one' });
  expect(await me(both, token)).toBe(200);
  expect(await me(both, await tokenOf(second))).toBe(200);
  expect(await me(second, token)).toBe(401);

  const { body, text, headers } = await published(both);
  const shown = ({ kty, crv, x, y, kid, alg }: PrivateJwk) => ({ kty, crv, x, y, kid, alg, use: 'sig' });
  expect(body).toEqual({ keys: [one, two].map(shown) });
  expect(headers['cache-control']).toBe('public, max-age=300');
  for (const { d } of [one, two]) expect(text).not.toContain(d);
  // Anyone who has them can verify our tokens.
  const verified = await jwtVerify(token, createLocalJWKSet(body), { issuer: 'hedgerow', audience: 'hedgerow' });
  expect(verified.payload.sub).toEqual(expect.any(String));
});

test('a change from a secret to keys signs no user out', async () => {
  const [key] = [signingKey('first of all')];
  const old = await tokenOf(first);
  const changing = await instance({ jwtSecret, privateKeys: [key] });
  expect(await me(changing, old)).toBe(200);
  expect(decodeProtectedHeader(await tokenOf(changing))).toMatchObject({ alg: 'ES256', kid: 'first of all' });
  expect((await published(changing)).body.keys).toHaveLength(1);
  expect(await me(await instance({ privateKeys: [key] }), old)).toBe(401);
});

/** `npm run keys`, with nothing in the environment but `env`. */
function runKeys(args: readonly string[] = [], keys?: string, cwd = tmpdir()) {
  const env = { PATH: process.env.PATH, ...(keys !== undefined && { JWT_PRIVATE_KEYS: keys }) };
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const file = join(root, 'server', 'auth', 'tokens', 'newKey.ts');
    const child = execFile(process.execPath, [file, ...args], { cwd, env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

const kids = (text: string) => privateKeys.parse(text).map(({ kid }) => kid);

test('keys are changed on two servers, one after the other, and no token is refused meanwhile', async () => {
  const a = (await runKeys()).stdout;
  const ab = (await runKeys(['--next'], a)).stdout;
  const ba = (await runKeys(['--switch'], ab)).stdout;
  const bc = (await runKeys(['--next'], ba)).stdout;
  const [one, two] = kids(ab);
  expect([kids(a), kids(ba), kids(bc)[0]]).toEqual([[one], [two, one], two]);
  expect(kids(bc)).not.toContain(one);

  const [withA, withAB, withBA, withBC] = await Promise.all(
    [a, ab, ba, bc].map((text) => instance({ privateKeys: privateKeys.parse(text) })),
  );
  const steps = [withA, withAB, withBA, withBC] as Instance[];
  const tokens = await Promise.all(steps.map(tokenOf));
  expect(tokens.map((token) => decodeProtectedHeader(token).kid)).toEqual([one, one, two, two]);
  // While a step is rolled out, servers before and behind it work side by side.
  for (let step = 1; step < steps.length; step++) {
    const [before, behind] = [steps[step - 1], steps[step]] as [Instance, Instance];
    expect(await me(before, tokens[step] as string)).toBe(200);
    expect(await me(behind, tokens[step - 1] as string)).toBe(200);
  }
  // Two steps at once is what fails: the one does not know what the other signs with.
  expect(await me(withA as Instance, tokens[2] as string)).toBe(401);
  expect(await me(withBC as Instance, tokens[0] as string)).toBe(401);
});

test('npm run keys prints one line: a new key, and the present ones behind it', async () => {
  const a = await runKeys();
  expect(a).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\{"keys":\[\{.*\}\]\}\n$/) });
  const [one] = kids(a.stdout);
  const ba = await runKeys([], a.stdout);
  const [two] = kids(ba.stdout);
  expect(kids(ba.stdout)).toEqual([two, one]);
  expect(two).not.toBe(one);
  const three = kids((await runKeys([], ba.stdout)).stdout);
  expect(three).toEqual([expect.any(String), two]);
  expect(kids((await runKeys(['--keep', '2'], ba.stdout)).stdout).slice(1)).toEqual([two, one]);
  expect(kids((await runKeys(['--keep', '0'], ba.stdout)).stdout)).toEqual([expect.any(String)]);
  expect(kids((await runKeys(['--next', '--keep', '0'], ba.stdout)).stdout)).toEqual([two, expect.any(String)]);
  for (const { d } of privateKeys.parse(ba.stdout)) expect(ba.stderr).not.toContain(d);
});

test('npm run keys reads what it printed back from .env', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hedgerow-keys-'));
  const { stdout } = await runKeys();
  await writeFile(join(directory, '.env'), `JWT_PRIVATE_KEYS='${stdout.trim()}'\n`);
  const again = await runKeys(['--next'], undefined, directory);
  await rm(directory, { recursive: true });
  expect(kids(again.stdout)[0]).toBe(kids(stdout)[0]);
});

test.each([
  ['present keys that are none', [], '{"keys":"canary"}'],
  ['one key to switch between', ['--switch'], undefined],
  ['an unknown option', ['--canary'], undefined],
  ['a number that is none', ['--keep', 'many'], undefined],
])('npm run keys does nothing with %s', async (_, args, keys) => {
  expect(await runKeys(args, keys)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/\w/) });
});

test('npm run keys prints its help', async () => {
  expect(await runKeys(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--next') });
});
