import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload } from 'jose';
import jwt from 'jsonwebtoken';
import type supertest from 'supertest';
import { createLog } from '../../../server/http/log.ts';
import { startIssuer, type TestIssuer } from '../../support/issuer.ts';
import { requestTo } from '../../support/requestTo.ts';
import { graphql, jwtSecret, serve, signUp, startTestServer, type TestServer } from '../../support/server.ts';
import { whileHeld } from '../../support/whileHeld.ts';

type Instance = Omit<TestServer, 'db'>;

let issuer: TestIssuer;
let server: TestServer;
const started: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  issuer = await startIssuer();
  server = await startTestServer({ externalIssuer: issuer.settings, poolSize: 10 });
});
afterEach(async () => {
  issuer.answer();
  await Promise.all(started.splice(0).map((one) => one.close()));
});
afterAll(async () => {
  await server.close();
  await issuer.close();
});

/** Another server on the same database, which has heard of nothing yet. */
async function anotherInstance(settings = issuer.settings): Promise<Instance> {
  const instance = await serve(server.db, { externalIssuer: settings });
  started.push(instance);
  return instance;
}

const me = ({ app }: Pick<Instance, 'app'>, token: string) =>
  requestTo(app).get('/auth/me').auth(token, { type: 'bearer' });

async function statuses(instance: Pick<Instance, 'app'>, token: string): Promise<number[]> {
  const api = await graphql(instance.app, token, '{ currentUser { username } }');
  return [(await me(instance, token)).status, api.status];
}

/** How often a connection was asked for. */
const waits = ({ database }: Instance) => database.counts.waits;

const seconds = () => Math.floor(Date.now() / 1000);
const person = () => `person-${randomUUID()}`;
const newToken = (sub = person(), claims: JWTPayload = {}) => issuer.token({ sub, ...claims });

/** The account as it is stored. */
async function account(subject: string) {
  const rows = await server.db.asAdmin(
    `select u.id, u.email, u.username, u.email_verified_at is not null as verified, c.password_hash, c.is_active
    from app_private.external_identities e join app_public.users u on u.id = e.user_id
    join app_private.credentials c on c.user_id = u.id where e.subject = $1`,
    [subject],
  );
  expect(rows).toHaveLength(1);
  return rows[0] as Record<string, unknown>;
}

/** Answers of /auth/me to tokens that all wait for a lock, which `statement` holds in another session. */
const whileBlocked = (statement: string, values: unknown[], tokens: string[]): Promise<supertest.Response[]> =>
  whileHeld(server.db, { statement, values }, tokens.length, () =>
    Promise.all(tokens.map((token) => me(server, token))),
  );

describe('a user of the issuer', () => {
  test('has an account from the first request on, and rows of their own', async () => {
    const subject = person();
    const token = await newToken(subject, {
      email: 'Erin@Example.com',
      email_verified: true,
      preferred_username: 'erin',
    });
    const { body } = await me(server, token).expect(200);
    expect(body).toEqual({
      id: expect.any(String),
      email: 'erin@example.com',
      username: 'erin',
      createdAt: expect.any(String),
    });
    expect(await account(subject)).toEqual({
      ...{ id: body.id, email: 'erin@example.com', username: 'erin' },
      ...{ verified: true, password_hash: null, is_active: true },
    });
    const mutation = 'mutation { createTodo(input: {todo: {title: "of erin"}}) { todo { title } } }';
    await graphql(server.app, token, mutation).expect(200);
    const todos = '{ todos { nodes { title } } }';
    const read = async (reader: string) => (await graphql(server.app, reader, todos)).body.data.todos.nodes;
    expect(await read(token)).toEqual([{ title: 'of erin' }]);
    // The same person with another token, on another server; and somebody else.
    expect((await me(await anotherInstance(), await newToken(subject))).body).toEqual(body);
    expect(await read(await newToken())).toEqual([]);
    const audit = 'select event, session_id from app_private.audit_log where user_id = $1';
    expect(await server.db.asAdmin(audit, [body.id])).toEqual([{ event: 'registered', session_id: null }]);
  });

  test('is made once, however many of their first requests come at once', async () => {
    const subject = person();
    const [one, other] = [await anotherInstance(), await anotherInstance()];
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, index) => newToken(subject, { jti: String(index) })),
    );
    const answers = await Promise.all(tokens.map((token, index) => me(index % 2 ? one : other, token)));
    expect(answers.map(({ status }) => status)).toEqual(tokens.map(() => 200));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const { id } = await account(subject);
    expect(await server.db.asAdmin('select from app_private.audit_log where user_id = $1', [id])).toHaveLength(1);
  });

  test('costs one round trip more for each token that is new to a server', async () => {
    const subject = person();
    const costOf = async (token: string) => {
      const before = waits(server);
      await me(server, token).expect(200);
      return waits(server) - before;
    };
    await me(server, await newToken(subject)).expect(200);
    const token = await newToken(subject, { jti: 'second' });
    expect([await costOf(token), await costOf(token), await costOf(token)]).toEqual([2, 1, 1]);
  });

  test('cannot log in with a password, which they do not have', async () => {
    const subject = person();
    await me(server, await newToken(subject, { email: 'frida@example.com', email_verified: true })).expect(200);
    for (const password of ['', 'null', 'a long password']) {
      const { status } = await requestTo(server.app).post('/auth/login').send({ email: 'frida@example.com', password });
      expect(status).toBe(401);
    }
  });

  test('is no other than by issuer and subject: another issuer has its own', async () => {
    const subject = person();
    const second = await startIssuer('https://second.example/');
    started.push(second);
    const { body } = await me(server, await newToken(subject)).expect(200);
    const instance = await anotherInstance(second.settings);
    const other = await me(instance, await second.token({ sub: subject })).expect(200);
    expect(other.body.id).not.toBe(body.id);
    // Each server trusts the one issuer that it was told of.
    expect(await statuses(instance, await newToken(subject))).toEqual([401, 401]);
    expect(await statuses(server, await second.token({ sub: subject }))).toEqual([401, 401]);
  });
});

describe('the account of a new user', () => {
  const placeholder = expect.stringMatching(/^[0-9a-f]{32}@users\.invalid$/);
  const madeUp = expect.stringMatching(/^user-[0-9a-f]{12}$/);

  test.each<[string, JWTPayload, object]>([
    ['nothing is said', {}, { email: placeholder, username: madeUp, verified: false }],
    ['the address is not verified', { email: 'gina@example.com' }, { email: placeholder, verified: false }],
    [
      'the address is verified in words alone',
      { email: 'gina@example.com', email_verified: 'true' },
      { email: placeholder, verified: false },
    ],
    ['the address is none', { email: 'gina', email_verified: true }, { email: placeholder, verified: false }],
    [
      'the address is too long',
      { email: `${'g'.repeat(250)}@example.com`, email_verified: true },
      { email: placeholder, verified: false },
    ],
    ['the address is a list', { email: ['gina@example.com'], email_verified: true }, { email: placeholder }],
    ['the name has other characters', { preferred_username: 'gina hill' }, { username: madeUp }],
    ['the name is an address', { preferred_username: 'gina@example.com', nickname: 'gina-1' }, { username: 'gina-1' }],
    ['the name is too short', { nickname: 'g' }, { username: madeUp }],
    ['the name is a number', { nickname: 12345 }, { username: madeUp }],
  ])('where %s', async (_, claims, expected) => {
    const subject = person();
    await me(server, await newToken(subject, claims)).expect(200);
    expect(await account(subject)).toMatchObject(expected);
  });

  test('takes no address and no name that somebody has, and is not that account', async () => {
    const victim = await signUp(server.app, 'victim');
    const subject = person();
    const claims = { email: 'VICTIM@example.com', email_verified: true, preferred_username: 'Victim' };
    const { body } = await me(server, await newToken(subject, claims)).expect(200);
    expect(body.id).not.toBe(victim.id);
    expect(await account(subject)).toMatchObject({ email: placeholder, username: madeUp, verified: false });
    await requestTo(server.app).post('/auth/login').send(victim).expect(200);
  });

  test('two that want the same at once: one gets it', async () => {
    const claims = { email: 'hana@example.com', email_verified: true, preferred_username: 'hana' };
    const subjects = Array.from({ length: 8 }, person);
    const tokens = await Promise.all(subjects.map((subject) => newToken(subject, claims)));
    const answers = await Promise.all(tokens.map((token) => me(server, token)));
    expect(answers.map(({ status }) => status)).toEqual(subjects.map(() => 200));
    const accounts = await Promise.all(subjects.map(account));
    for (const [field, value] of [
      ['email', 'hana@example.com'],
      ['username', 'hana'],
      ['verified', true],
    ] as const) {
      expect(accounts.filter((one) => one[field] === value)).toHaveLength(1);
    }
  });

  test('a name and an address that somebody takes at the same moment are left to them', async () => {
    const claims = { email: 'ivy@example.com', email_verified: true, preferred_username: 'ivy' };
    const subject = person();
    const insert = 'insert into app_public.users (email, username) values ($1, $2)';
    const [answer] = await whileBlocked(insert, ['ivy@example.com', 'ivy'], [await newToken(subject, claims)]);
    expect(answer?.status).toBe(200);
    expect(await account(subject)).toMatchObject({ email: placeholder, username: madeUp, verified: false });
  });

  test.each(["' or true --", 'auth0|5f7c8ec7c33c6c004bbafe82', '🌿'.repeat(100), ' ', 'x'.repeat(255)])(
    'the subject %j is taken as it is',
    async (subject) => {
      const { body } = await me(server, await newToken(subject)).expect(200);
      expect(await account(subject)).toMatchObject({ id: body.id });
    },
  );
});

describe('a token that the issuer did not make for this server', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const flip = (token: string, part: number) => {
    const parts = token.split('.');
    const text = parts[part] as string;
    parts[part] = (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
    return parts.join('.');
  };
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = (change: object = {}) => ({
    ...{ iss: 'https://issuer.example/', aud: 'https://api.example/', sub: 'someone' },
    ...{ iat: seconds(), exp: seconds() + 3600, ...change },
  });
  const publicPem = () => {
    const key = createPublicKey({ key: issuer.keys[0] as JsonWebKey, format: 'jwk' });
    return key.export({ type: 'spki', format: 'pem' });
  };

  const forgeries: [string, () => Promise<string> | string][] = [
    ['no algorithm', () => `${encoded({ alg: 'none' })}.${encoded(claims())}.`],
    ['no algorithm and a signature', () => `${encoded({ alg: 'none' })}.${encoded(claims())}.AAAA`],
    [
      'the public key as a secret',
      () => {
        const head = `${encoded({ alg: 'HS256', kid: 'usual' })}.${encoded(claims())}`;
        return `${head}.${createHmac('sha256', publicPem()).update(head).digest('base64url')}`;
      },
    ],
    ["this server's secret", () => jwt.sign(claims(), jwtSecret, { keyid: 'usual' })],
    [
      'a key of its own under the right id',
      async () => issuer.token({}, {}, (await generateKeyPair('ES256')).privateKey),
    ],
    [
      'a key of its own in the header',
      async () => {
        const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
        return issuer.token({}, { jwk: await exportJWK(publicKey) }, privateKey);
      },
    ],
    [
      'a key that its header says where to fetch',
      async () => {
        const { privateKey } = await generateKeyPair('ES256');
        const where = issuer.settings.jwksUrl.replace('/keys', '/evil');
        return issuer.token({}, { jku: where, x5u: where }, privateKey);
      },
    ],
    [
      'an RSA key under the id of another kind',
      () => jwt.sign(claims(), rsa.privateKey, { algorithm: 'RS256', keyid: 'usual' }),
    ],
    ['an unknown key', () => issuer.token({}, { kid: 'unknown' })],
    ['a path for a key', () => issuer.token({}, { kid: '../../../../dev/null' })],
    ['a changed header', async () => flip(await issuer.token(), 0)],
    ['changed claims', async () => flip(await issuer.token(), 1)],
    ['a changed signature', async () => flip(await issuer.token(), 2)],
    ['no signature', async () => (await issuer.token()).replace(/[^.]+$/, '')],
    ['a signature of nothing but zeros', async () => (await issuer.token()).replace(/[^.]+$/, 'A'.repeat(86))],
    [
      'a demand that is not understood',
      () => jwt.sign(claims(), issuer.usual, { header: { alg: 'ES256', kid: 'usual', crit: ['x'], x: 1 } as never }),
    ],
    [
      'a payload that is not encoded',
      () =>
        jwt.sign(claims(), issuer.usual, {
          header: { alg: 'ES256', kid: 'usual', crit: ['b64'], b64: false } as never,
        }),
    ],
    ['another issuer', () => issuer.token({ iss: 'https://issuer.example' })],
    [
      "this server's own name for an issuer",
      () => issuer.token({ iss: 'hedgerow', aud: 'hedgerow', sid: randomUUID() }),
    ],
    ['a list of issuers', () => issuer.token({ iss: ['https://issuer.example/'] as never })],
    ['another audience', () => issuer.token({ aud: 'https://other.example/' })],
    ['part of an audience', () => issuer.token({ aud: 'https://api.example' })],
    ['a list of other audiences', () => issuer.token({ aud: ['a', 'b'] })],
    ['no audience', () => issuer.token({ aud: undefined } as never)],
    ['no subject', () => issuer.token({ sub: undefined } as never)],
    ['an empty subject', () => issuer.token({ sub: '' })],
    ['a subject of 256 characters', () => issuer.token({ sub: 'x'.repeat(256) })],
    ['a subject that is a number', () => issuer.token({ sub: 7 as never })],
    ['a NUL in the subject', () => issuer.token({ sub: 'some\0one' })],
    ['half a character in the subject', () => issuer.token({ sub: 'some\ud83done' })],
    ['no end', () => issuer.token({ exp: undefined } as never)],
    ['an end in the past', () => issuer.token({ iat: seconds() - 120, exp: seconds() - 60 })],
    ['an end that is text', () => issuer.token({ exp: String(seconds() + 60) as never })],
    ['no time of issue', () => issuer.token({ iat: undefined } as never)],
    ['a time of issue in the future', () => issuer.token({ iat: seconds() + 60 })],
    ['a begin in the future', () => issuer.token({ nbf: seconds() + 60 })],
    ['another type', () => issuer.token({}, { typ: 'logout+jwt' })],
    ['a type that is a list', () => issuer.token({}, { typ: ['jwt'] as never })],
  ];

  test.each(forgeries)('%s: 401, and nobody is made', async (_, forge) => {
    await me(server, await issuer.token()).expect(200);
    const users = await server.db.asAdmin('select count(*) from app_public.users');
    const before = waits(server);
    const token = await forge();
    const { body } = await me(server, token).expect(401);
    expect(body).toEqual({
      ...{ type: 'about:blank', title: 'Unauthorized', status: 401 },
      detail: 'A valid access token is needed: Authorization: Bearer <token>.',
    });
    expect(await statuses(server, token)).toEqual([401, 401]);
    expect(waits(server)).toBe(before);
    expect(await server.db.asAdmin('select count(*) from app_public.users')).toEqual(users);
  });

  test('a symmetric key that the issuer publishes by mistake signs nothing', async () => {
    const shared = new TextEncoder().encode('a secret that should never have been published');
    issuer.keys.push({ kty: 'oct', k: Buffer.from(shared).toString('base64url'), kid: 'shared', alg: 'HS256' });
    const instance = await anotherInstance();
    await me(instance, await issuer.token()).expect(200);
    const token = await issuer.token({}, { alg: 'HS256', kid: 'shared' }, shared);
    issuer.keys.pop();
    expect(await statuses(instance, token)).toEqual([401, 401]);
  });

  test('without an issuer to trust, its tokens are none', async () => {
    const alone = await serve(server.db);
    started.push(alone);
    const fetches = issuer.fetches();
    expect(await statuses(alone, await issuer.token())).toEqual([401, 401]);
    expect(issuer.fetches()).toBe(fetches);
  });
});

test.each<[string, JWTPayload, Record<string, unknown>]>([
  ['a list of audiences with ours in it', { aud: ['https://other.example/', 'https://api.example/'] }, {}],
  ['the type of access tokens', {}, { typ: 'at+jwt' }],
  ['the usual type', {}, { typ: 'JWT' }],
  ['a clock that is a little ahead', { iat: Math.floor(Date.now() / 1000) + 4 }, {}],
  ['seven thousand characters', { filler: 'x'.repeat(5000) }, {}],
])('a token with %s is accepted', async (_, claims, header) => {
  expect(await statuses(server, await issuer.token({ sub: person(), ...claims }, header))).toEqual([200, 200]);
});

/** Lets the clocks of everything in this process be ahead while `work` runs. */
async function later<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => now() + milliseconds;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

describe("the issuer's keys", () => {
  test('may be several, of any kind that is not shared', async () => {
    const own = await startIssuer();
    started.push(own);
    const signed = [await own.token()];
    for (const alg of ['ES256', 'RS256', 'PS256', 'EdDSA']) {
      signed.push(await own.token({}, { alg, kid: alg }, await own.addKey(alg, alg)));
    }
    const instance = await anotherInstance(own.settings);
    for (const token of signed) expect(await statuses(instance, token)).toEqual([200, 200]);
    expect(own.fetches()).toBe(1);
  });

  test('change: a new one is found, one that was withdrawn is forgotten', async () => {
    const own = await startIssuer();
    started.push(own);
    const instance = await anotherInstance(own.settings);
    const old = (jti: string) => own.token({ jti });
    await me(instance, await old('one')).expect(200);
    const next = await own.addKey('next');
    const token = await own.token({}, { kid: 'next' }, next);
    await later(31_000, async () => {
      await me(instance, token).expect(200);
      expect(own.fetches()).toBe(2);
      await me(instance, await old('two')).expect(200);
    });
    own.keys.shift();
    // A token that is remembered needs no key until it has been remembered for long.
    await me(instance, await old('one')).expect(200);
    await later(700_000, async () => {
      await me(instance, await old('three')).expect(401);
      await me(instance, await old('one')).expect(401);
      await me(instance, await own.token({ jti: 'four' }, { kid: 'next' }, next)).expect(200);
      expect(own.fetches()).toBe(3);
    });
  });

  test('are fetched once in 30 seconds, however many tokens name unknown ones', async () => {
    const own = await startIssuer();
    started.push(own);
    const instance = await anotherInstance(own.settings);
    const flood = async () => {
      const tokens = await Promise.all(Array.from({ length: 40 }, () => own.token({}, { kid: randomUUID() })));
      const answers = await Promise.all(tokens.map((token) => me(instance, token)));
      expect(answers.map(({ status }) => status)).toEqual(tokens.map(() => 401));
    };
    await flood();
    await flood();
    expect(own.fetches()).toBe(1);
    await later(31_000, flood);
    expect(own.fetches()).toBe(2);
  });

  const faults: [string, (response: ServerResponse) => void][] = [
    ['an error', (response) => response.writeHead(500).end('{"keys":[]}')],
    ['a page', (response) => response.setHeader('Content-Type', 'text/html').end('<h1>Maintenance</h1>')],
    ['no set', (response) => response.end('{"keys":"none"}')],
    ['null', (response) => response.end('null')],
    ['a redirect', (response) => response.writeHead(302, { Location: '/elsewhere' }).end()],
    ['a broken connection', (response) => response.destroy()],
    ['nothing at all', () => {}],
  ];

  test.each(faults)(
    'cannot be had: %s is 503 to whom it concerns, and the token is good afterwards',
    async (_, fault) => {
      const lines: string[] = [];
      const log = createLog('trace', { write: (line) => void lines.push(line) });
      const instance = await serve(server.db, { externalIssuer: issuer.settings, log });
      started.push(instance);
      const own = await signUp(instance.app, `own-${randomUUID().slice(0, 8)}`);
      const token = await newToken();
      issuer.answer((_request, response) => fault(response));
      const before = issuer.fetches();
      const answers = await Promise.all(Array.from({ length: 5 }, () => me(instance, token)));
      answers.push(await me(instance, token), await graphql(instance.app, token, '{ currentUser { username } }'));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
      for (const { headers } of answers) expect(headers['retry-after']).toBe('5');
      expect(issuer.fetches()).toBe(before + 1);
      expect(lines.filter((line) => line.includes('AUTH_JWKS_URL'))).toHaveLength(1);
      for (const part of token.split('.')) expect(lines.join('')).not.toContain(part);
      expect(await statuses(instance, own.token)).toEqual([200, 200]);
      issuer.answer();
      await later(5_001, () => me(instance, token).expect(200));
    },
  );

  const point = { kty: 'EC', crv: 'P-256', x: 'A', y: 'A' };
  const malformedKeys: [string, (good: JWK, secret: JWK) => unknown][] = [
    ['a point that is not on the curve', () => ({ ...point, kid: 'bad', alg: 'ES256', use: 'sig' })],
    ['a coordinate that is no text', (good) => ({ ...good, x: 7 })],
    ['a missing coordinate', ({ y, ...good }) => good],
    ['an unknown curve', (good) => ({ ...good, crv: 'P-999' })],
    ['an unknown kind', (good) => ({ ...good, kty: 'XX' })],
    ['no kind', ({ kty, ...good }) => good],
    ['an RSA key without a modulus', () => ({ kty: 'RSA', e: 'AQAB', kid: 'bad', alg: 'RS256' })],
    ['an Ed25519 key that is too short', () => ({ kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'bad', alg: 'EdDSA' })],
    ['operations that are no list', (good) => ({ ...good, key_ops: 'verify' })],
    ['an algorithm that is no text', (good) => ({ ...good, alg: {} })],
    ['a private key', (_good, secret) => secret],
    ['null', () => null],
    ['text', () => 'bad'],
    ['a list', () => [point]],
  ];

  test.each(malformedKeys)(
    'may have a malformed one beside them, %s: its tokens are 401, and the others serve on',
    async (_, malform) => {
      const own = await startIssuer();
      started.push(own);
      const bad = await own.addKey('bad');
      const good = own.keys.pop() as JWK;
      const malformed = malform(good, { ...(await exportJWK(bad)), kid: 'bad', alg: 'ES256', use: 'sig' }) as JWK;
      for (const keys of [[malformed, own.keys[0] as JWK], [malformed]]) {
        own.keys.splice(0, own.keys.length, ...keys);
        const instance = await anotherInstance(own.settings);
        const before = own.fetches();
        expect(await statuses(instance, await own.token({}, { kid: 'bad' }, bad))).toEqual([401, 401]);
        const others = keys.length > 1 ? [200, 200] : [401, 401];
        expect(await statuses(instance, await own.token())).toEqual(others);
        expect(own.fetches()).toBe(before + 1);
      }
    },
  );

  test('may have a malformed one with the id of a good one, which serves on', async () => {
    const own = await startIssuer();
    started.push(own);
    own.keys.unshift({ ...point, kid: 'usual', alg: 'ES256' });
    expect(await statuses(await anotherInstance(own.settings), await own.token())).toEqual([200, 200]);
  });

  test('that were fetched serve on while the endpoint is away, whatever else is asked for', async () => {
    const own = await startIssuer();
    started.push(own);
    const instance = await anotherInstance(own.settings);
    await me(instance, await own.token()).expect(200);
    own.answer((_request, response) => response.writeHead(503).end());
    await later(31_000, async () => {
      await me(instance, await own.token({}, { kid: 'unknown' })).expect(503);
      await me(instance, await own.token({ jti: 'new' })).expect(200);
    });
  });
});

describe('a token that was good is refused at once, on every server,', () => {
  const subjectOf = async () => {
    const subject = person();
    const token = await newToken(subject);
    const other = await anotherInstance();
    for (const instance of [server, other]) expect(await statuses(instance, token)).toEqual([200, 200]);
    const { id } = await account(subject);
    const refusedEverywhere = async (refused = token) => {
      for (const instance of [server, other, await anotherInstance()]) {
        expect(await statuses(instance, refused)).toEqual([401, 401]);
      }
    };
    return { subject, token, id, refusedEverywhere };
  };

  /** As if what ended the tokens had been some minutes ago: a token's time of issue is in whole seconds. */
  const timePasses = (subject: string) =>
    server.db.asAdmin(
      `update app_private.external_identities set not_before = not_before - interval '1 minute' where subject = $1`,
      [subject],
    );

  test('after logout-all; one that is issued later is good', async () => {
    const { subject, token, refusedEverywhere } = await subjectOf();
    const ofClockAhead = await newToken(subject, { iat: seconds() + 4 });
    await requestTo(server.app).post('/auth/logout-all').auth(token, { type: 'bearer' }).expect(204);
    await refusedEverywhere();
    await refusedEverywhere(ofClockAhead);
    await timePasses(subject);
    expect(await statuses(server, await newToken(subject, { jti: 'later' }))).toEqual([200, 200]);
    await refusedEverywhere(await newToken(subject, { iat: seconds() - 120 }));
  });

  test('once the account is not active', async () => {
    const { subject, id, refusedEverywhere } = await subjectOf();
    await server.db.asAdmin('update app_private.credentials set is_active = false where user_id = $1', [id]);
    await refusedEverywhere();
    await refusedEverywhere(await newToken(subject, { jti: 'later' }));
  });

  test('once the account is deleted; one that is issued later makes another', async () => {
    const { subject, id, refusedEverywhere } = await subjectOf();
    await server.db.asAdmin('delete from app_public.users where id = $1', [id]);
    await refusedEverywhere();
    expect(
      await server.db.asAdmin('select user_id from app_private.external_identities where subject = $1', [subject]),
    ).toEqual([{ user_id: null }]);
    await timePasses(subject);
    const { body } = await me(server, await newToken(subject, { jti: 'later' })).expect(200);
    expect(body.id).not.toBe(id);
    await refusedEverywhere(await newToken(subject, { iat: seconds() - 120 }));
  });

  test('once the account is deleted; of later ones that come at the same time, one makes another', async () => {
    const { subject, id } = await subjectOf();
    await server.db.asAdmin('delete from app_public.users where id = $1', [id]);
    await timePasses(subject);
    const tokens = await Promise.all(['a', 'b', 'c'].map((jti) => newToken(subject, { jti })));
    const answers = await whileBlocked(
      'select from app_private.external_identities where subject = $1 for update',
      [subject],
      tokens,
    );
    expect(answers.map(({ status }) => status)).toEqual(tokens.map(() => 200));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  });
});

test('reads of such a user may go to a replica, and what they wrote is noted for it', async () => {
  // The primary stands in for a replica that is never behind.
  const instance = await serve({ ...server.db, replicaUrl: server.db.serverUrl }, { externalIssuer: issuer.settings });
  started.push(instance);
  const subject = person();
  const token = await newToken(subject);
  const api = (query: string) => graphql(instance.app, token, query).expect(200);
  await api('mutation { createTodo(input: {todo: {title: "noted"}}) { todo { title } } }');
  const before = { ...instance.database.counts.replica };
  expect((await api('{ todos { nodes { title } } }')).body.data.todos.nodes).toEqual([{ title: 'noted' }]);
  expect(instance.database.counts.replica).toEqual({ ...before, answered: (before.answered ?? 0) + 1 });
  const { id } = await account(subject);
  expect(await server.db.asAdmin('select from app_private.last_writes where user_id = $1', [id])).toHaveLength(1);
  await server.db.asAdmin('update app_private.external_identities set not_before = now() where user_id = $1', [id]);
  await graphql(instance.app, token, '{ todos { nodes { title } } }').expect(401);
});
