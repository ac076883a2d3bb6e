import { hash } from '@node-rs/argon2';
import { Cancellation, CancelledError } from '../../../postgres/cancellation.ts';
import { hashPassword, needsRehash, passwordMatches } from '../../../server/auth/passwords/passwords.ts';
import { passwordHashesWaiting } from '../../../server/auth/passwords/queue.ts';
import { Problem } from '../../../server/http/problem.ts';
import { requestTo } from '../../support/requestTo.ts';
import { signUp, startTestServer, type TestServer } from '../../support/server.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

const password = 'a long enough password';

/** Asks for more hashes than may wait, all at once. */
const flood = (one: () => Promise<unknown> = () => hashPassword(password)) =>
  Promise.allSettled(Array.from({ length: 70 }, one));

const refused = (results: PromiseSettledResult<unknown>[]) =>
  results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));

test('a password matches its own hash and no other', async () => {
  const one = await hashPassword(password);
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await hashPassword(password)).not.toBe(one);
  expect(await passwordMatches(one, password)).toBe(true);
  expect(await passwordMatches(one, `${password}.`)).toBe(false);
});

test.each([undefined, null])('nothing matches where there is no hash (%s)', async (none) => {
  expect(await passwordMatches(none, password)).toBe(false);
  expect(await passwordMatches(none, '')).toBe(false);
});

test('fifty passwords wait in the queue; the next one gets Retry-After, and the queue empties', async () => {
  const flooding = flood();
  expect(passwordHashesWaiting()).toBe(50);
  const turnedAway = refused(await flooding);
  expect(turnedAway.length).toBeGreaterThanOrEqual(70 - 50 - 4);
  expect(turnedAway.length).toBeLessThan(70 - 50);
  for (const problem of turnedAway) {
    expect(problem).toBeInstanceOf(Problem);
    expect(problem).toMatchObject({ status: 503, headers: { 'Retry-After': expect.stringMatching(/^[1-9]\d*$/) } });
  }
  expect(passwordHashesWaiting()).toBe(0);
  expect(await hashPassword(password)).toContain('$argon2id$');
});

test.each(['a hash', 'none'])('a password is turned away in the same way where the account has %s', async (has) => {
  const stored = has === 'none' ? undefined : await hashPassword(password);
  const turnedAway = refused(await flood(() => passwordMatches(stored, password)));
  expect(turnedAway.length).toBeGreaterThan(0);
  expect(new Set(turnedAway.map(({ status }) => status))).toEqual(new Set([503]));
});

test('a password is not hashed if its client disconnects in the queue', async () => {
  const [gone, stays] = [new Cancellation(), new Cancellation()];
  const ahead = Array.from({ length: 10 }, () => hashPassword(password));
  const waiting = [hashPassword(password, gone), hashPassword(password, stays)];
  gone.cancel('client gone');
  const [ofGone, ofStaying] = await Promise.allSettled(waiting);
  expect(ofGone).toMatchObject({ status: 'rejected', reason: expect.any(CancelledError) });
  expect(ofStaying).toMatchObject({ status: 'fulfilled' });
  await Promise.all(ahead);
});

test('the metrics show how many passwords wait', async () => {
  const waiting = async () => {
    const { text } = await requestTo(server.app).get('/metrics').expect(200);
    return Number(/^hedgerow_password_hashes_waiting (\d+)$/m.exec(text)?.[1]);
  };
  expect(await waiting()).toBe(0);
  const flooding = flood();
  expect(await waiting()).toBeGreaterThan(0);
  await flooding;
  expect(await waiting()).toBe(0);
});

test('a flood of logins gets answers, and 503 beyond the limit', async () => {
  const answers = await Promise.all(
    Array.from({ length: 120 }, (_, index) =>
      requestTo(server.app)
        .post('/auth/login')
        .send({ email: `nobody${index}@example.com`, password }),
    ),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 503]));
  for (const { status, headers } of answers) if (status === 503) expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
});

test('a hash that was made with less work is replaced at the next login, and no other', async () => {
  const { id, email, password } = await signUp(server.app, 'ada');
  const storedHash = async () => {
    const [row] = await server.db.asAdmin('select password_hash from app_private.credentials where user_id = $1', [id]);
    return row?.password_hash as string;
  };
  const login = (password: string) => requestTo(server.app).post('/auth/login').send({ email, password });
  const present = await storedHash();
  await login(password).expect(200);
  expect(await storedHash()).toBe(present);

  const weak = await hash(password, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
  await server.db.asAdmin('update app_private.credentials set password_hash = $2 where user_id = $1', [id, weak]);
  await login(`${password}.`).expect(401);
  expect(await storedHash()).toBe(weak);
  await login(password).expect(200);
  expect(await storedHash()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  await login(password).expect(200);
  await login(`${password}.`).expect(401);
});

test.each([
  ['$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', false],
  ['$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA', false],
  ['$argon2id$v=19$m=8192,t=2,p=1$c2FsdA$aGFzaA', true],
  ['$argon2id$v=19$m=19456,t=1,p=1$c2FsdA$aGFzaA', true],
  ['$argon2id$v=16$m=19456,t=2,p=1$c2FsdA$aGFzaA', true],
  ['$argon2i$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', true],
])('%s is made again: %s', (stored, again) => {
  expect(needsRehash(stored)).toBe(again);
});
