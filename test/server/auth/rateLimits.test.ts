import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isUnavailable } from '../../../postgres/connectionErrors.ts';
import { clearExpired } from '../../../server/auth/rateLimits/expiry.ts';
import { networkOf } from '../../../server/auth/rateLimits/network.ts';
import { createRateLimits } from '../../../server/auth/rateLimits/postgresLimits.ts';
import type { LimitedAction, RateLimits } from '../../../server/auth/rateLimits/rateLimits.ts';
import { rules } from '../../../server/auth/rateLimits/rules.ts';
import { Problem } from '../../../server/http/problem.ts';
import { Identity } from '../../../server/tenancy/identity.ts';
import type { Database } from '../../../server/tenancy/tenantDatabase.ts';
import { openConnections } from '../../support/openDatabase.ts';
import { requestTo } from '../../support/requestTo.ts';
import { serve, signUp, startTestServer, type TestServer } from '../../support/server.ts';
import { whileHeld } from '../../support/whileHeld.ts';

let server: TestServer;
let mailbox: string;
let database: Database;
/** The rate limits of another instance of the server. */
let limits: RateLimits;

beforeAll(async () => {
  mailbox = await mkdtemp(join(tmpdir(), 'hedgerow-mail-'));
  server = await startTestServer({ limitFactor: 1, trustProxy: 1, mail: { directory: mailbox } });
  database = openConnections(server.db, { size: 3 });
  limits = createRateLimits(database.as(Identity.signIn), 1);
});

afterAll(async () => {
  await database.close();
  await server.close();
  await rm(mailbox, { recursive: true });
});

let addresses = 0;
/** An address that no other test has used. */
const newAddress = () => `198.18.${Math.floor(++addresses / 250)}.${(addresses % 250) + 1}`;

const from = (address: string) => ({ address, userAgent: undefined });

/** The error of a refused attempt; undefined if it is allowed. */
async function refusal(action: LimitedAction, address: string, account?: string, by = limits) {
  try {
    await by.count(action, from(address), account);
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** How many of `count` tries, one after the other, are let through. */
async function passing(count: number, one: (index: number) => Promise<unknown>): Promise<number> {
  let passed = 0;
  for (let index = 0; index < count; index++) if ((await one(index)) === undefined) passed++;
  return passed;
}

const post = (path: string, address: string, body: object, app = server.app) =>
  requestTo(app).post(path).set('X-Forwarded-For', address).send(body);

const logIn = (email: string, password: string, address: string, app = server.app) =>
  post('/auth/login', address, { email, password }, app);

/** The statuses of `count` wrong logins, one after the other. */
async function wrongLogins(count: number, email: string, addressOf: (index: number) => string, app = server.app) {
  const statuses: number[] = [];
  for (let index = 0; index < count; index++)
    statuses.push((await logIn(email, 'a wrong password', addressOf(index), app)).status);
  return statuses;
}

const times = (count: number, status: number) => Array<number>(count).fill(status);

const storedKeys = async () =>
  (await server.db.asAdmin<{ key: string }>('select key from app_private.rate_limits')).map(({ key }) => key);

describe.each(Object.keys(rules) as LimitedAction[])('%s', (action) => {
  const { address: atAddress, account, accountAtAddress } = rules[action];

  test('is refused to an address that has tried too often, whatever the account', async () => {
    const address = newAddress();
    const passed = await passing(atAddress.points + 5, (index) => refusal(action, address, `${action} ${index}`));
    expect(passed).toBe(atAddress.points);
    const refused = await refusal(action, address, `${action} another`);
    expect(refused).toMatchObject({
      status: 429,
      message: expect.stringMatching(/^Too many attempts\. Wait \d+ seconds\.$/),
    });
    const wait = Number(refused?.headers['Retry-After']);
    expect(Number.isInteger(wait) && wait >= 1 && wait <= atAddress.seconds).toBe(true);
    expect(await refusal(action, newAddress(), `${action} another`)).toBeUndefined();
  });

  test('is refused to an account that was tried too often, whatever the address', async () => {
    const name = `${action} of one`;
    const passed = await passing(account.points + 5, () => refusal(action, newAddress(), name));
    expect(passed).toBe(account.points);
    expect(await refusal(action, newAddress(), name)).toMatchObject({ status: 429 });
    expect(await refusal(action, newAddress(), `${action} of another`)).toBeUndefined();
  });

  test('is allowed again after forgive', async () => {
    const name = `${action} forgiven`;
    const address = newAddress();
    const { points } = accountAtAddress ?? account;
    await passing(points, () => refusal(action, address, name));
    await limits.forgive(action, from(address), name);
    expect(await passing(points + 5, () => refusal(action, address, name))).toBe(points);
  });
});

test('forgive gives the address one attempt back', async () => {
  const address = newAddress();
  const { points } = rules.password.address;
  await passing(points - 1, (index) => refusal('password', address, `given back ${index}`));
  for (let index = 0; index < 5; index++) {
    expect(await refusal('password', address, 'the right one')).toBeUndefined();
    await limits.forgive('password', from(address), 'the right one');
  }
});

test('a factor multiplies the limits', async () => {
  const generous = createRateLimits(database.as(Identity.signIn), 3);
  const { points } = rules.mail.account;
  expect(await passing(3 * points + 5, () => refusal('mail', newAddress(), 'factor', generous))).toBe(3 * points);
});

test('an attempt takes one round trip, and a refused attempt none', async () => {
  const committed = () => database.counts.transactions.committed;
  const address = newAddress();
  const before = committed();
  await refusal('mail', address, 'round trip');
  expect(committed() - before).toBe(1);
  await passing(rules.mail.account.points, () => refusal('mail', address, 'round trip'));
  const blocked = committed();
  expect(await refusal('mail', address, 'round trip')).toMatchObject({ status: 429 });
  expect(committed()).toBe(blocked);
});

test('two instances count concurrent attempts once each, without a deadlock', async () => {
  const other = openConnections(server.db, { size: 3 });
  const both = [limits, createRateLimits(other.as(Identity.signIn), 1)];
  const address = newAddress();
  const tries = Array.from({ length: 80 }, (_, index) =>
    refusal('login', address, `at once ${index % 8}`, both[index % 2]),
  );
  const through = (await Promise.all(tries)).filter((refused) => refused === undefined);
  expect(through).toHaveLength(80);
  const [row] = await server.db.asAdmin('select points from app_private.rate_limits where key = $1', [
    `login:address:${address}`,
  ]);
  expect(row).toEqual({ points: 80 });
  expect([database, other].map(({ counts }) => counts.transactions.failed)).toEqual([0, 0]);
  await other.close();
});

test('the attempts of one tick lock their rows in key order', async () => {
  const other = openConnections(server.db, { size: 3 });
  const addresses = [newAddress(), newAddress(), newAddress()] as const;
  for (const address of addresses) await refusal('mail', address);
  const tryAll = (by: RateLimits, ...among: string[]) =>
    among.map((address) => refusal('mail', address, undefined, by));
  const failures = () => [database, other].map(({ counts }) => counts.transactions.failed);
  const before = failures();
  const [first, middle, last] = addresses;
  const hold = `select from app_private.rate_limits where key = 'mail:address:${middle}' for update`;
  await whileHeld(server.db, { statement: hold }, 2, () =>
    Promise.all([
      ...tryAll(limits, first, middle, last),
      ...tryAll(createRateLimits(other.as(Identity.signIn), 1), last, middle, first),
    ]),
  );
  expect(failures()).toEqual(before);
  await other.close();
});

test('one address cannot lock others out of an account, however many tries it makes at once', async () => {
  const address = newAddress();
  const tries = await Promise.all(Array.from({ length: 80 }, () => refusal('login', address, 'victim')));
  expect(tries.filter((refused) => refused === undefined)).toHaveLength(rules.login.accountAtAddress?.points as number);
  expect(await refusal('login', newAddress(), 'victim')).toBeUndefined();
});

test('a thousand accounts tried from one address do not fill the table', async () => {
  const address = newAddress();
  const before = (await storedKeys()).length;
  await passing(1000, (index) => refusal('login', address, `thousand ${index}@example.com`));
  const added = (await storedKeys()).length - before;
  // The address, and what it was let try: two rows for each account; one more for the account that was too many.
  expect(added).toBe(1 + 2 * rules.login.address.points + 1);
});

test('the table stores no mail address', async () => {
  await limits.count('login', from(newAddress()), 'someone@example.com');
  const keys = await storedKeys();
  expect(keys.length).toBeGreaterThan(0);
  expect(keys.filter((key) => key.includes('someone') || key.includes('@'))).toEqual([]);
});

test('rows are deleted after they expire, and not before', async () => {
  const address = newAddress();
  await limits.count('mail', from(address), 'over');
  await limits.count('mail', from(address), 'under way');
  const all = await storedKeys();
  await server.db.asAdmin(
    `update app_private.rate_limits set expire = (extract(epoch from now()) * 1000)::bigint - 120000
    where key = (select key from app_private.rate_limits where key like 'mail:account:%' limit 1)`,
  );
  await server.db.asAdmin(
    "insert into app_private.rate_limits select 'old ' || n, 1, 1 from generate_series(1, 25000) n",
  );
  await clearExpired(database.as(Identity.signIn));
  const left = await storedKeys();
  expect(left).toHaveLength(all.length - 1);
  expect(left.filter((key) => key.startsWith('old'))).toEqual([]);
});

test('an attempt is refused while the database is unavailable', async () => {
  const away = openConnections({ serverUrl: 'postgres://nobody:x@127.0.0.1:1/none', preparedStatements: true });
  const error = await createRateLimits(away.as(Identity.signIn), 1)
    .count('login', from(newAddress()), 'away')
    .catch((error) => error);
  await away.close();
  expect(isUnavailable(error)).toBe(true);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1:2:3::', '1:2:3:0::/64'],
  ['1::4:5:6:7:8', '1:0:0:4::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['192.0.2.1:443', 'unknown'],
  [undefined, 'unknown'],
])('%s is counted as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

describe('over HTTP', () => {
  const password = 'a long enough password';
  const register = (name: string, address = newAddress()) =>
    post('/auth/register', address, { email: `${name}@example.com`, username: name, password });

  test('ten wrong passwords are answered 401, the eleventh and the right one 429, from this address alone', async () => {
    await register('ada').expect(201);
    const address = newAddress();
    expect(await wrongLogins(12, 'ada@example.com', () => address)).toEqual([...times(10, 401), ...times(2, 429)]);
    const refused = await logIn('ada@example.com', password, address).expect(429);
    expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(900);
    expect(refused.body).toMatchObject({ title: 'Too Many Requests', status: 429 });
    await logIn('ada@example.com', password, newAddress()).expect(200);
  });

  test('an account that does not exist is limited in the same way and the same words', async () => {
    await register('bob').expect(201);
    const shown = async (email: string) => {
      const address = newAddress();
      const statuses = await wrongLogins(10, email, () => address);
      const { status, body, headers } = await logIn(email, password, address);
      const words = JSON.stringify(body).replace(/\d+ seconds/, 'n seconds');
      return [statuses, status, words, Object.keys(headers).sort()];
    };
    const known = await shown('bob@example.com');
    expect(known[1]).toBe(429);
    expect(await shown('nobody@example.com')).toEqual(known);
  });

  test('the right password within the limit forgives the wrong ones', async () => {
    await register('carol').expect(201);
    const address = newAddress();
    expect(await wrongLogins(9, 'carol@example.com', () => address)).toEqual(times(9, 401));
    await logIn('carol@example.com', password, address).expect(200);
    expect(await wrongLogins(10, 'carol@example.com', () => address)).toEqual(times(10, 401));
  });

  test('guessing one account from many addresses is stopped', async () => {
    await register('dave').expect(201);
    expect(await wrongLogins(51, 'dave@example.com', newAddress)).toEqual([...times(50, 401), 429]);
    await logIn('dave@example.com', password, newAddress()).expect(429);
  });

  /** Uses up what an account may be tried from networks that it is not known from. */
  const lockOut = async (email: string) =>
    expect(await wrongLogins(51, email, newAddress)).toEqual([...times(50, 401), 429]);

  test('an owner signs in from a network of theirs while strangers guess from many', async () => {
    const [home, office] = [newAddress(), newAddress()];
    await register('owner-one', home).expect(201);
    await logIn('owner-one@example.com', password, office).expect(200);
    await lockOut('owner-one@example.com');
    const stranger = newAddress();
    await logIn('owner-one@example.com', password, stranger).expect(429);
    for (const known of [home, office, home]) await logIn('owner-one@example.com', password, known).expect(200);
    // The tries that let the owner in let nobody else in.
    await logIn('owner-one@example.com', password, stranger).expect(429);
    expect(await wrongLogins(1, 'owner-one@example.com', newAddress)).toEqual([429]);
  }, 120_000);

  test('the owner is known from a /64 of IPv6, and from an IPv4-mapped address', async () => {
    await register('owner-two', '2001:db8:1:2:3::1').expect(201);
    await logIn('owner-two@example.com', password, '::ffff:198.19.1.1').expect(200);
    await lockOut('owner-two@example.com');
    await logIn('owner-two@example.com', password, '2001:db8:1:2:ffff::9').expect(200);
    await logIn('owner-two@example.com', password, '198.19.1.1').expect(200);
    for (const other of ['2001:db8:1:3::1', '198.19.1.2', 'unknown']) {
      await logIn('owner-two@example.com', password, other).expect(429);
    }
  }, 120_000);

  test('tries from known networks are bounded too, by network and all together', async () => {
    const known = Array.from({ length: 5 }, newAddress);
    await register('owner-three', known[0]).expect(201);
    for (const address of known) await logIn('owner-three@example.com', password, address).expect(200);
    await lockOut('owner-three@example.com');
    const statuses = (address: string) => wrongLogins(11, 'owner-three@example.com', () => address);
    for (const address of known.slice(0, 3)) expect(await statuses(address)).toEqual([...times(10, 401), 429]);
    for (const address of known.slice(3)) await logIn('owner-three@example.com', password, address).expect(429);
  }, 120_000);

  test('an unauthenticated client cannot tell an account with known networks from one that does not exist', async () => {
    await register('iris').expect(201);
    const shown = async (email: string) => {
      await lockOut(email);
      const { counts } = server.database;
      const before = counts.transactions.committed;
      const { status, body, headers } = await logIn(email, password, newAddress());
      const words = JSON.stringify(body).replace(/\d+ seconds/, 'n seconds');
      return [status, words, Object.keys(headers).sort(), counts.transactions.committed - before];
    };
    expect(await shown('iris@example.com')).toEqual(await shown('not-iris@example.com'));
  }, 120_000);

  test('thirty wrong passwords at once: ten are tried', async () => {
    const address = newAddress();
    const answers = await Promise.all(Array.from({ length: 30 }, () => logIn('at-once@example.com', 'wrong', address)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...times(10, 401), ...times(20, 429)]);
  });

  test('all instances share the counts', async () => {
    const other = await serve(server.db, { limitFactor: 1, trustProxy: 1 });
    const address = newAddress();
    expect(await wrongLogins(5, 'both@example.com', () => address)).toEqual(times(5, 401));
    expect(await wrongLogins(6, 'both@example.com', () => address, other.app)).toEqual([...times(5, 401), 429]);
    await logIn('both@example.com', 'wrong', address).expect(429);
    await other.close();
  });

  test('of X-Forwarded-For the hop that the proxy wrote counts, and nothing before it', async () => {
    const real = newAddress();
    const forged = () => `${newAddress()}, ${real}`;
    expect(await wrongLogins(11, 'forged@example.com', forged)).toEqual([...times(10, 401), 429]);
    await logIn('forged@example.com', 'wrong', `${real}, ${newAddress()}`).expect(401);
  });

  test('what a proxy writes for a client that it does not know is no address', async () => {
    await register('grace').expect(201);
    await logIn('grace@example.com', 'wrong', 'unknown').expect(401);
    await logIn('grace@example.com', password, 'unknown').expect(200);
    await logIn('grace@example.com', password, 'fe80::1%eth0').expect(200);
    const addresses = await server.db.asAdmin(
      `select host(s.address) as address from app_private.sessions s join app_public.users u on u.id = s.user_id
      where u.username = 'grace' order by s.created_at`,
    );
    expect(addresses.map(({ address }) => address)).toEqual([expect.any(String), null, 'fe80::1']);
  });

  test('without a proxy X-Forwarded-For counts for nothing', async () => {
    const direct = await serve(server.db, { limitFactor: 1 });
    expect(await wrongLogins(11, 'direct@example.com', newAddress, direct.app)).toEqual([...times(10, 401), 429]);
    await direct.close();
  });

  test('one mail address cannot be tried for registration without end', async () => {
    await register('erin').expect(201);
    const again = (index: number) =>
      post('/auth/register', newAddress(), { email: 'erin@example.com', username: `erin${index}`, password });
    const statuses: number[] = [];
    for (let index = 0; index < 10; index++) statuses.push((await again(index)).status);
    expect(statuses).toEqual([...times(9, 409), 429]);
  });

  const email = 'frank@example.com';
  const randomToken = () => randomBytes(32).toString('base64url');
  test.each<[LimitedAction, 'post' | 'get' | 'delete', string, object]>([
    ['register', 'post', '/auth/register', { email, username: 'frank', password }],
    ['login', 'post', '/auth/login', { email, password }],
    ['refresh', 'post', '/auth/refresh', { refreshToken: `${randomToken()}.${randomToken()}` }],
    ['logout', 'post', '/auth/logout', { refreshToken: `${randomToken()}.${randomToken()}` }],
    ['password', 'post', '/auth/password', { currentPassword: 'wrong', newPassword: password }],
    ['password', 'post', '/auth/deactivate', { password: 'wrong' }],
    ['password', 'delete', '/auth/me', { password: 'wrong' }],
    ['password', 'post', '/auth/password/reset', { token: randomToken(), newPassword: password }],
    ['mail', 'post', '/auth/password/forgot', { email }],
    ['mail', 'post', '/auth/email/send', {}],
    ['export', 'get', '/auth/export', {}],
  ])('%s: %s %s is refused to an address that has tried too often', async (action, method, path, body) => {
    const { token } = await signUp(server.app, `limited${addresses}`);
    const ask = (address: string) =>
      requestTo(server.app)[method](path).set('X-Forwarded-For', address).auth(token, { type: 'bearer' }).send(body);
    const address = newAddress();
    await passing(rules[action].address.points, () => refusal(action, address));
    const refused = await ask(address).expect(429);
    expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect((await ask(newAddress())).status).not.toBe(429);
  });
});
