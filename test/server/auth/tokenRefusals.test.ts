import type { JWTPayload } from 'jose';
import jwt from 'jsonwebtoken';
import { createLog } from '../../../server/http/log.ts';
import { startIssuer, type TestIssuer } from '../../support/issuer.ts';
import { requestTo } from '../../support/requestTo.ts';
import { jwtSecret, serve, signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

type Line = Record<string, unknown>;

let issuer: TestIssuer;
let server: TestServer;
let ada: Tenant;
const started: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  issuer = await startIssuer();
  server = await startTestServer();
  ada = await signUp(server.app, 'ada');
});
afterEach(() => Promise.all(started.splice(0).map((one) => one.close())));
afterAll(async () => {
  await server.close();
  await issuer.close();
});

/** Log lines about refused tokens, from a separate server to which each token is sent twice. */
async function refusalsOf(...tokens: string[]): Promise<Line[]> {
  const lines: string[] = [];
  const log = createLog('trace', { write: (line) => void lines.push(line) });
  const instance = await serve(server.db, { externalIssuer: issuer.settings, log });
  started.push(instance);
  for (const token of [...tokens, ...tokens]) {
    await requestTo(instance.app).get('/auth/me').auth(token, { type: 'bearer' }).expect(401);
  }
  for (const part of tokens.flatMap((token) => token.split('.'))) expect(lines.join('')).not.toContain(part);
  return lines.map((line): Line => JSON.parse(line)).filter(({ msg }) => msg === 'access tokens were refused');
}

const now = () => Math.floor(Date.now() / 1000);
const about = (seconds: number) => ({
  asymmetricMatch: (found: unknown) => typeof found === 'number' && Math.abs(found - seconds) < 60,
});

const external: [string, () => [JWTPayload, Record<string, unknown>?], Line][] = [
  ['has expired', () => [{ exp: now() - 600 }], { level: 30, cause: 'expired', seconds: about(600) }],
  ['is not valid yet', () => [{ nbf: now() + 600 }], { level: 40, cause: 'not valid yet', seconds: about(600) }],
  [
    'is from the future',
    () => [{ iat: now() + 600 }],
    { level: 40, cause: 'issued in the future', seconds: about(600) },
  ],
  ['is for others', () => [{ aud: 'https://other.example/' }], { level: 40, cause: 'wrong audience' }],
  ['names an unknown key', () => [{}, { kid: 'another' }], { level: 40, cause: 'unknown key' }],
  ['is of another type', () => [{}, { typ: 'logout+jwt' }], { level: 40, cause: 'wrong type' }],
  ['has no subject', () => [{ sub: undefined } as never], { level: 40, cause: 'claim missing or malformed' }],
];

test.each(external)(
  'a token of another issuer that %s is refused with its cause, once in the log',
  async (_, make, line) => {
    expect(await refusalsOf(await issuer.token(...make()))).toEqual([
      expect.objectContaining({ ...line, issuer: 'external' }),
    ]);
  },
);

test('a token of another issuer with another signature is refused with that cause', async () => {
  const [token, other] = [await issuer.token(), await issuer.token({ sub: 'else' })];
  const forged = [...token.split('.').slice(0, 2), other.split('.')[2]].join('.');
  expect(await refusalsOf(forged)).toMatchObject([{ level: 40, issuer: 'external', cause: 'wrong signature' }]);
});

const own: [string, object, Line][] = [
  ['has expired', { iat: now() - 3600, exp: now() - 600 }, { level: 30, cause: 'expired', seconds: about(600) }],
  ['is not valid yet', { nbf: now() + 600 }, { level: 40, cause: 'not valid yet', seconds: about(600) }],
  [
    'is from the future',
    { iat: now() + 600, exp: now() + 900 },
    { level: 40, cause: 'issued in the future', seconds: about(600) },
  ],
];

test.each(own)('a token of our own that %s is refused with its cause, once in the log', async (_, claims, line) => {
  const token = jwt.sign({ ...(jwt.decode(ada.token) as object), ...claims }, jwtSecret);
  expect(await refusalsOf(token)).toEqual([expect.objectContaining({ ...line, issuer: 'own' })]);
});

test('the log counts the refusals since the line before, however many tokens strangers send', async () => {
  const lines: Line[] = [];
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const instance = await serve(server.db, { log });
  started.push(instance);
  const send = () => requestTo(instance.app).get('/auth/me').auth('a.b.c', { type: 'bearer' }).expect(401);
  for (let n = 0; n < 20; n++) await send();
  const { now } = Date;
  Date.now = () => now() + 61_000;
  try {
    await send();
  } finally {
    Date.now = now;
  }
  const refusals = lines.filter(({ msg }) => msg === 'access tokens were refused').map(({ refusals }) => refusals);
  expect(refusals).toEqual([1, 20]);
});

test('a token of another issuer may name hundreds of groups, and one that is longer still is refused with its cause', async () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => void lines.push(line) });
  const instance = await serve(server.db, { externalIssuer: issuer.settings, log });
  started.push(instance);
  const url = await instance.listen();
  const groups = (count: number) => Array.from({ length: count }, (_, index) => `${index}`.padStart(60, 'group-'));
  const status = async (count: number) => {
    const token = await issuer.token({ groups: groups(count) });
    return (await fetch(`${url}/auth/me`, { headers: { Authorization: `Bearer ${token}` } })).status;
  };
  expect([await status(150), await status(380)]).toEqual([200, 200]);
  expect(await status(450)).toBe(401);
  const refusals = lines
    .map((line): Line => JSON.parse(line))
    .filter(({ msg }) => msg === 'access tokens were refused');
  expect(refusals).toMatchObject([{ level: 40, issuer: 'external', cause: 'too long' }]);
});
