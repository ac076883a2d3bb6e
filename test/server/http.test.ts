import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type supertest from 'supertest';
import { requestTo } from '../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';

const origin = 'https://app.example.com';
let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer({ production: true, allowedOrigins: [origin] });
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

const get = (path: string) => requestTo(server.app).get(path);
const post = (path: string) => requestTo(server.app).post(path).set('Authorization', `Bearer ${ada.token}`);
const endpoints: [string, (answer: supertest.Response, status: number) => void][] = [
  ['/auth/login', expectProblem],
  ['/graphql', expectGraphQLError],
];

/** An error in the form of GraphQL: a message and a code. */
function expectGraphQLError({ body, status }: supertest.Response, expected: number): void {
  expect(body.data).toBeUndefined();
  expect(body.errors).toMatchObject([{ message: expect.any(String), extensions: { code: 'BAD_USER_INPUT' } }]);
  expect(status).toBe(expected);
}

/** An RFC 9457 answer: type, title, status and detail, and no more than `errors` beside. */
function expectProblem({ headers, body, status }: supertest.Response, expected: number): void {
  expect(headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(body).toEqual({
    ...{ type: expect.any(String), title: expect.any(String), status: expected, detail: expect.any(String) },
    ...(body.errors && { errors: expect.any(Array) }),
  });
  expect(status).toBe(expected);
}

test.each(['/health', '/auth/me', '/graphql', '/nowhere'])('helmet guards %s', async (path) => {
  const { headers } = await get(path);
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'SAMEORIGIN',
    'strict-transport-security': expect.stringMatching(/max-age=\d{8}/),
    'content-security-policy': expect.stringContaining("default-src 'self'"),
    'referrer-policy': 'no-referrer',
  });
  expect(headers).not.toHaveProperty('x-powered-by');
});

test.each(endpoints)('%s may be called from the one allowed origin', async (path) => {
  const preflight = (from: string) =>
    requestTo(server.app).options(path).set({
      Origin: from,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization',
    });
  const { headers } = await preflight(origin).expect(204);
  expect(headers['access-control-allow-origin']).toBe(origin);
  expect(headers['access-control-allow-headers']).toBe('authorization');
  expect(headers.vary).toMatch(/Origin/);
  expect((await post(path).set('Origin', origin).send({})).headers['access-control-allow-origin']).toBe(origin);
  for (const other of [
    'https://evil.example',
    `${origin}.evil.example`,
    'http://app.example.com',
    `${origin}:8443`,
    'null',
  ]) {
    expect((await preflight(other)).headers).not.toHaveProperty('access-control-allow-origin');
    expect((await post(path).set('Origin', other).send({})).headers).not.toHaveProperty('access-control-allow-origin');
  }
});

test('without ALLOWED_ORIGINS no origin is allowed', async () => {
  const other = await startTestServer();
  const { headers } = await requestTo(other.app).get('/health').set('Origin', origin);
  expect(headers).not.toHaveProperty('access-control-allow-origin');
  await other.close();
});

/** Bytes of the largest body that is read; of GraphQL, with a token. */
const largest = (path: string) => (path === '/graphql' ? 2_000_000 : 100_000);

test.each(endpoints)('%s refuses a body that is too large', async (path, expectRefusal) => {
  const body = (length: number) => ({ query: '{ __typename }', email: 'x', password: 'y'.repeat(length) });
  expectRefusal(await post(path).send(body(largest(path) + 1)), 413);
  expect((await post(path).send(body(largest(path) - 10_000))).status).not.toBe(413);
});

test.each(endpoints)('%s refuses such a body also when its length was not said', async (path) => {
  const listening = server.app.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}${path}`;
  const chunk = new TextEncoder().encode(' '.repeat(10_000));
  const body = ReadableStream.from(Array.from({ length: 250 }, () => chunk));
  const headers = { Authorization: `Bearer ${ada.token}`, 'Content-Type': 'application/json' };
  const init: RequestInit & { duplex: string } = { method: 'POST', headers, body, duplex: 'half' };
  expect((await fetch(url, init)).status).toBe(413);
  listening.close();
  listening.closeAllConnections();
});

test.each(endpoints)('%s refuses what is not JSON', async (path, expectRefusal) => {
  const forms: [string, string][] = [
    ['application/x-www-form-urlencoded', 'query=%7B__typename%7D&email=x&password=y'],
    ['text/plain', '{"query":"{ __typename }"}'],
    [
      'multipart/form-data; boundary=x',
      '--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n{ __typename }\r\n--x--',
    ],
    ['application/graphql', '{ __typename }'],
  ];
  for (const [type, form] of forms) expectRefusal(await post(path).set('Content-Type', type).send(form), 415);
});

test.each(endpoints)('%s refuses malformed JSON without repeating it', async (path, expectRefusal) => {
  const answer = await post(path).set('Content-Type', 'application/json').send('{"query": canary');
  expectRefusal(answer, 400);
  expect(answer.text).not.toMatch(/canary|SyntaxError/);
});

test('an unknown path is a 404, whatever the method', async () => {
  expectProblem(await get('/nowhere'), 404);
  expectProblem(await post('/auth/nowhere').send({}), 404);
  expectProblem(await requestTo(server.app).delete('/health'), 404);
});

test('input that is wrong is a 400 that names the fields', async () => {
  const answer = await post('/auth/register').send({ email: 'x' });
  expectProblem(answer, 400);
  expect(answer.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
    'email',
    'password',
    'username',
  ]);
  expectProblem(await post('/auth/login'), 400);
});

test('no token is a 401 that says what is needed', async () => {
  for (const answer of [
    await get('/auth/me'),
    await requestTo(server.app).post('/graphql').send({ query: '{ __typename }' }),
  ]) {
    expectProblem(answer, 401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  }
});

test('every answer has a request id of its own, not the one that came in', async () => {
  const ids = new Set<unknown>();
  for (const path of ['/health', '/nowhere', '/auth/me', '/graphql']) {
    const { headers } = await get(path).set('X-Request-Id', 'chosen');
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    ids.add(headers['x-request-id']);
  }
  expect(ids.size).toBe(4);
});
