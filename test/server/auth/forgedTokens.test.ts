import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import jwt from 'jsonwebtoken';
import type supertest from 'supertest';
import { compact, ecdsa, type ForgeryInput, forgeries, hmac, type Signer } from '../../../isolation/http/forgery.ts';
import type { AuthSettings } from '../../../server/auth/auth.ts';
import type { PrivateJwk } from '../../../server/auth/tokens/privateKeys.ts';
import { requestTo } from '../../support/requestTo.ts';
import { graphql, jwtSecret, signUp, startTestServer, type TestServer } from '../../support/server.ts';
import { signingKey } from '../../support/signingKeys.ts';

const [first, older] = [signingKey('first'), signingKey('older')];

/** The signing keys of the server, and whether a public key is known. */
const setups: [string, Pick<AuthSettings, 'jwtSecret' | 'privateKeys'>, Signer][] = [
  ['a secret', { jwtSecret }, hmac(jwtSecret)],
  ['two key pairs', { privateKeys: [first, older] }, ecdsa(first)],
  ['a secret and a key pair', { jwtSecret, privateKeys: [first, older] }, ecdsa(first)],
];

describe.each(setups)('where the server has %s,', (setup, keys, signer) => {
  let server: TestServer;
  let loot: ForgeryInput;
  /** The answer to a request without a token. */
  let refusals: unknown[];
  beforeAll(async () => {
    server = await startTestServer({ keys });
    const { token } = await signUp(server.app, 'ada');
    const { header, payload: claims } = jwt.decode(token, { complete: true }) as jwt.Jwt & { payload: jwt.JwtPayload };
    loot = { token, header, claims, signer };
    refusals = await answers(undefined);
  });
  afterAll(() => server.close());

  /** The answers to an Authorization header: status, body, and what else could tell one refusal from another. */
  async function answers(
    authorization: string | undefined,
  ): Promise<{ status: number; body: unknown; told: unknown }[]> {
    const requests = [
      requestTo(server.app).get('/auth/me'),
      requestTo(server.app).post('/graphql').send({ query: '{ currentUser { username } }' }),
    ];
    if (authorization !== undefined) for (const request of requests) request.set('Authorization', authorization);
    return (await Promise.all(requests)).map(({ status, body, headers }) => ({
      ...{ status, body },
      told: [Object.keys(headers).sort(), headers['www-authenticate'], headers['content-type']],
    }));
  }

  /** Every refusal is the same, and no connection was asked for. */
  async function expectRefused(authorization: string): Promise<void> {
    const { waits } = server.database.counts;
    expect(await answers(authorization)).toEqual(refusals);
    expect(server.database.counts.waits).toBe(waits);
  }

  test('a good token is accepted, also one that was put together by hand', async () => {
    const { header, claims } = loot;
    expect(refusals).toMatchObject([{ status: 401 }, { status: 401 }]);
    const { waits } = server.database.counts;
    for (const token of [
      loot.token,
      compact(header, claims, signer),
      compact({ ...header, typ: undefined }, claims, signer),
    ]) {
      expect((await answers(`Bearer ${token}`)).map(({ status }) => status)).toEqual([200, 200]);
    }
    expect(server.database.counts.waits).toBe(waits + 6);
    expect((await answers(`bEARER ${loot.token}`)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test.each(forgeries)('a token with %s is refused before the database', async (_, forge) => {
    await expectRefused(`Bearer ${forge(loot)}`);
  });

  const withoutSpace = (scheme: string) => (token: string) => `${scheme}${token}`;
  test.each<[string, (token: string) => string]>([
    ['with no scheme', withoutSpace('')],
    ['in the scheme JWT', withoutSpace('JWT ')],
    ['in the scheme Basic', (token) => `Basic ${Buffer.from(`token:${token}`).toString('base64')}`],
    ['next to its scheme', withoutSpace('Bearer')],
    ['behind another word', withoutSpace('Bearer token ')],
    ['with a word behind it', (token) => `Bearer ${token} more`],
    ['in quotes', (token) => `Bearer "${token}"`],
    ['behind a comma', (token) => `Bearer x, Bearer ${token}`],
    ['behind ten thousand spaces', (token) => `Bearer ${' '.repeat(10_000)}${token}`],
  ])('a good token %s is refused before the database', async (_, authorization) => {
    await expectRefused(authorization(loot.token));
  });

  test.each<[string, (token: string) => supertest.Test]>([
    ['in the query string', (token) => requestTo(server.app).get(`/auth/me?access_token=${token}&token=${token}`)],
    ['in a cookie', (token) => requestTo(server.app).get('/auth/me').set('Cookie', `token=${token}; jwt=${token}`)],
    [
      'in the body',
      (token) => requestTo(server.app).post('/graphql').send({ query: '{ __typename }', access_token: token }),
    ],
    ['in another header', (token) => requestTo(server.app).get('/auth/me').set('X-Access-Token', token)],
    ['of the proxy', (token) => requestTo(server.app).get('/auth/me').set('Proxy-Authorization', `Bearer ${token}`)],
  ])('a good token %s is none', async (_, request) => {
    const { waits } = server.database.counts;
    await request(loot.token).expect(401);
    expect(server.database.counts.waits).toBe(waits);
  });

  test('of two Authorization headers, a good one behind a forged one does not count', async () => {
    const listening = server.app.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as AddressInfo;
    const forged = compact(loot.header, loot.claims, hmac('another'));
    const status = await new Promise((resolve, reject) => {
      const headers = [
        'Host',
        'localhost',
        'Authorization',
        `Bearer ${forged}`,
        'Authorization',
        `Bearer ${loot.token}`,
      ];
      httpRequest({ port, host: '127.0.0.1', path: '/auth/me', headers }, (response) => {
        resolve(response.resume().statusCode);
      })
        .once('error', reject)
        .end();
    });
    await new Promise((resolve) => listening.close(resolve));
    expect(status).toBe(401);
  });

  test('a token that is too long for a header does not get as far as the app', async () => {
    const { waits } = server.database.counts;
    const send = (length: number) =>
      requestTo(server.app)
        .get('/auth/me')
        .set('Authorization', `Bearer ${'x'.repeat(length)}`);
    await send(20_000).expect(431);
    // Node may close the connection before all of it is sent.
    const outcome = await send(1_000_000).then(
      ({ status }) => status,
      ({ code }) => code,
    );
    expect([431, 'ECONNRESET', 'EPIPE']).toContain(outcome);
    expect(server.database.counts.waits).toBe(waits);
  });

  test('a token that was refused is refused again, and does not harm the good one', async () => {
    const forged = compact(loot.header, { ...loot.claims, jti: randomUUID() }, hmac('another'));
    await expectRefused(`Bearer ${forged}`);
    await expectRefused(`Bearer ${forged}`);
    expect((await answers(`Bearer ${loot.token}`)).map(({ status }) => status)).toEqual([200, 200]);
  });

  describe('and the token is signed as it should be,', () => {
    const resigned = (change: object) => `Bearer ${compact(loot.header, { ...loot.claims, ...change }, signer)}`;
    const claimsOf = async (name: string) => {
      const { id, token } = await signUp(server.app, `${name}-${randomUUID().slice(0, 8)}`);
      return { id, token, sid: (jwt.decode(token) as jwt.JwtPayload).sid as string };
    };

    /** The API answers a refusal by the database as GraphQL: one answer for all of them. */
    let ended: unknown[];
    beforeAll(async () => {
      const [me, api] = await answers(resigned({ sid: randomUUID() }));
      expect(me).toEqual(refusals[0]);
      expect(api).toMatchObject({ status: 401, body: { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] } });
      ended = [me, api];
    });

    test("somebody else's id is refused with one's own session, and the other way round", async () => {
      const bob = await claimsOf('bob');
      expect(await answers(resigned({ sub: bob.id }))).toEqual(ended);
      expect(await answers(resigned({ sid: bob.sid }))).toEqual(ended);
      expect((await answers(resigned({ sub: bob.id, sid: bob.sid }))).map(({ status }) => status)).toEqual([200, 200]);
    });

    test('a user that does not exist is refused', async () => {
      expect(await answers(resigned({ sub: randomUUID() }))).toEqual(ended);
    });

    test.each([
      ['whose session has ended', 'update app_private.sessions set revoked_at = now() where user_id = $1'],
      ['whose session is too old', 'update app_private.sessions set expires_at = now() where user_id = $1'],
      ['who is not active', 'update app_private.credentials set is_active = false where user_id = $1'],
      ['who is deleted', 'delete from app_public.users where id = $1'],
    ])('that of a user %s is refused', async (_, ending) => {
      const { id, token } = await claimsOf('gone');
      expect((await answers(`Bearer ${token}`)).map(({ status }) => status)).toEqual([200, 200]);
      await server.db.asAdmin(ending, [id]);
      expect(await answers(`Bearer ${token}`)).toEqual(ended);
    });
  });

  if (keys.privateKeys) {
    const publicKey = createPublicKey({ key: { ...first }, format: 'jwk' });
    const { x, y } = first;
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const published = { kty: 'EC', crv: 'P-256', x, y, kid: 'first', alg: 'ES256', use: 'sig' };
    const materials: [string, string | Buffer][] = [
      ['PEM', pem],
      ['PEM without its last line end', pem.toString().trim()],
      ['DER', publicKey.export({ type: 'spki', format: 'der' })],
      ['JWK', JSON.stringify(published)],
      ['x', x],
      ['y', y],
      ['x in bytes', Buffer.from(x, 'base64url')],
      ['name', 'first'],
    ];
    test.each(materials)("the public key's %s is no secret to sign with", async (_, material) => {
      for (const kid of ['first', 'older', undefined]) {
        await expectRefused(`Bearer ${compact({ alg: 'HS256', typ: 'JWT', kid }, loot.claims, hmac(material))}`);
        await expectRefused(`Bearer ${compact({ alg: 'ES256', typ: 'JWT', kid }, loot.claims, hmac(material))}`);
      }
    });

    const attackers = signingKey('first');
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const bytes = (...halves: (number | bigint)[]) =>
      (() => Buffer.from(halves.map((half) => half.toString(16).padStart(64, '0')).join(''), 'hex')) as Signer;
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const signed = (one: PrivateJwk, kid: string | undefined) => (): string =>
      compact({ alg: 'ES256', typ: 'JWT', kid }, loot.claims, ecdsa(one));
    test.each<[string, () => string]>([
      ["an attacker's key under the right name", signed(attackers, 'first')],
      [
        "an attacker's key that is in the header",
        () => {
          const { d: _, ...jwk } = attackers;
          return compact({ ...loot.header, jwk }, loot.claims, ecdsa(attackers));
        },
      ],
      ['the key under the name of another', signed(first, 'older')],
      ['the key without its name', signed(first, undefined)],
      ['r and s of zero', () => compact(loot.header, loot.claims, bytes(0, 0))],
      ['r and s of one', () => compact(loot.header, loot.claims, bytes(1, 1))],
      ["r and s of the curve's order", () => compact(loot.header, loot.claims, bytes(order, order))],
      ['a signature in DER', () => compact(loot.header, loot.claims, ecdsa(first, 'sha256', 'der'))],
      ['another hash', () => compact(loot.header, loot.claims, ecdsa(first, 'sha384'))],
      ['another curve', () => compact({ ...loot.header, alg: 'ES384' }, loot.claims, ecdsa(p384, 'sha384'))],
      ['another curve under the name of the right one', () => compact(loot.header, loot.claims, ecdsa(p384))],
      ['RSA', () => jwt.sign(loot.claims, rsa, { algorithm: 'RS256', keyid: 'first' })],
      [
        'the secret under the name of a key',
        () => compact({ alg: 'HS256', kid: 'first' }, loot.claims, hmac(jwtSecret)),
      ],
    ])('a token with %s is refused', async (_, forge) => {
      await expectRefused(`Bearer ${forge()}`);
    });

    test('the older key, and the secret only where there is one, are good by their own names', async () => {
      const status = async (token: string) => (await answers(`Bearer ${token}`)).map((answer) => answer.status);
      expect(await status(signed(older, 'older')())).toEqual([200, 200]);
      const bySecret = await status(compact({ alg: 'HS256', typ: 'JWT' }, loot.claims, hmac(jwtSecret)));
      expect(bySecret).toEqual(keys.jwtSecret ? [200, 200] : [401, 401]);
      expect(setup).toContain(keys.jwtSecret ? 'secret' : 'two key pairs');
    });
  }
});

test('a token of one server is none on another whose keys are others', async () => {
  const [one, other] = await Promise.all([
    startTestServer({ keys: { privateKeys: [signingKey('same name')] } }),
    startTestServer({ keys: { privateKeys: [signingKey('same name')] } }),
  ]);
  const { token } = await signUp(one.app, 'ada');
  const read = (server: TestServer) => graphql(server.app, token, '{ currentUser { username } }');
  expect([(await read(one)).status, (await read(other)).status]).toEqual([200, 401]);
  await Promise.all([one.close(), other.close()]);
});
