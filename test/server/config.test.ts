import { ConfigError, readConfig } from '../../server/config.ts';
import { signingKey } from '../support/signingKeys.ts';

const complete = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://hedgerow_authenticator:word@db.example.com/hedgerow',
  JWT_SECRET: 'a secret that has thirty-two characters or more',
};

const issuer = {
  AUTH_ISSUER: 'https://auth.example.com/',
  AUTH_JWKS_URL: 'https://auth.example.com/jwks.json',
  AUTH_AUDIENCE: 'hedgerow-api',
};

const keySet = (...keys: object[]) => JSON.stringify({ keys });

/** The error of readConfig for an environment. */
function problems(env: Record<string, string | undefined>): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('an empty environment gives the defaults of development', () => {
  expect(readConfig({})).toMatchObject({
    production: false,
    databaseUrl: undefined,
    listenUrl: undefined,
    pool: { size: 10, timeout: 5, recycle: 1800, preparedStatements: true },
    requestTimeout: 10,
    keepAliveTimeout: 75,
    drainDelay: 0,
    allowedRules: [],
    jwtSecret: undefined,
    privateKeys: undefined,
    externalIssuer: undefined,
    limitFactor: 1,
    auditRetentionDays: undefined,
    mail: { smtpUrl: undefined, from: { name: 'Hedgerow', address: 'no-reply@localhost' }, appUrl: undefined },
    allowedOrigins: [],
    port: 3000,
    host: '127.0.0.1',
    logLevel: 'info',
    trustProxy: 0,
  });
});

test('every variable is taken', () => {
  const config = readConfig({
    ...complete,
    DATABASE_URL_LISTEN: 'postgres://direct.example.com/hedgerow',
    ...{ DB_POOL_SIZE: '3', DB_POOL_TIMEOUT: '2', DB_POOL_RECYCLE: '60' },
    ...{ DB_PREPARED_STATEMENTS: 'off', REQUEST_TIMEOUT: '20' },
    ...{
      PORT: '0',
      HOST: '::1',
      LOG_LEVEL: 'warn',
      TRUST_PROXY: '1',
      AUTH_LIMIT_FACTOR: '20',
      AUDIT_RETENTION_DAYS: '365',
    },
    ...{ SMTP_URL: 'smtps://u:p@mail.example.com', MAIL_FROM: 'No Reply <no-reply@example.com>' },
    ...issuer,
    APP_URL: 'https://app.example.com/hedgerow/',
    ALLOWED_ORIGINS: 'https://app.example.com, http://localhost:5173,',
    ...{ KEEP_ALIVE_TIMEOUT: '120', DRAIN_DELAY: '15', ALLOW_UNSAFE_SCHEMA: 'security-definer, foreign-table' },
  });
  expect(config).toMatchObject({
    production: true,
    databaseUrl: complete.DATABASE_URL,
    listenUrl: 'postgres://direct.example.com/hedgerow',
    pool: { size: 3, timeout: 2, recycle: 60, preparedStatements: false },
    requestTimeout: 20,
    keepAliveTimeout: 120,
    drainDelay: 15,
    allowedRules: ['security-definer', 'foreign-table'],
    jwtSecret: complete.JWT_SECRET,
    externalIssuer: {
      ...{ issuer: 'https://auth.example.com/', audience: 'hedgerow-api' },
      jwksUrl: 'https://auth.example.com/jwks.json',
    },
    limitFactor: 20,
    auditRetentionDays: 365,
    mail: {
      smtpUrl: 'smtps://u:p@mail.example.com',
      from: { name: 'No Reply', address: 'no-reply@example.com' },
      appUrl: 'https://app.example.com/hedgerow',
    },
    allowedOrigins: ['https://app.example.com', 'http://localhost:5173'],
    port: 0,
    host: '::1',
    logLevel: 'warn',
    trustProxy: 1,
  });
});

test('production drains for three seconds unless told otherwise', () => {
  expect(readConfig(complete).drainDelay).toBe(3);
  expect(readConfig({ ...complete, DRAIN_DELAY: '0' }).drainDelay).toBe(0);
});

test('changes are listened for where the database is, unless told otherwise', () => {
  expect(readConfig(complete).listenUrl).toBe(complete.DATABASE_URL);
});

test('the config cannot be changed', () => {
  const config = readConfig({ ...complete, ...issuer, JWT_PRIVATE_KEYS: keySet(signingKey('one')) });
  for (const part of [
    config,
    config.pool,
    config.privateKeys,
    config.externalIssuer,
    config.allowedOrigins,
    config.allowedRules,
    config.mail,
    config.mail.from,
  ])
    expect(Object.isFrozen(part)).toBe(true);
});

test('every error is told at once, by its variable', () => {
  const wrong = {
    ...{ NODE_ENV: 'prod', DATABASE_URL: 'mysql://db', DATABASE_URL_LISTEN: 'db' },
    ...{ JWT_SECRET: 'short', ALLOWED_ORIGINS: '*' },
    ...{ DB_POOL_SIZE: '0', DB_POOL_TIMEOUT: 'soon', DB_POOL_RECYCLE: '-1' },
    ...{ DB_PREPARED_STATEMENTS: 'maybe', REQUEST_TIMEOUT: '0' },
    ...{ KEEP_ALIVE_TIMEOUT: '0', DRAIN_DELAY: '-1', ALLOW_UNSAFE_SCHEMA: '*' },
    ...{ PORT: '65536', LOG_LEVEL: 'loud', TRUST_PROXY: 'true', AUTH_LIMIT_FACTOR: '1001' },
    ...{ SMTP_URL: 'http://mail', MAIL_FROM: 'nobody', APP_URL: 'app.example.com' },
    ...{ JWT_PRIVATE_KEYS: '[]', AUTH_ISSUER: 'hedgerow', AUTH_JWKS_URL: 'http://auth.example.com' },
    AUTH_AUDIENCE: 'x'.repeat(256),
  };
  const told = problems(wrong);
  expect(told.map((problem) => problem.split(' ')[0]).sort()).toEqual(Object.keys(wrong).sort());
  expect(() => readConfig(wrong)).toThrow(ConfigError);
  for (const problem of told) expect(() => readConfig(wrong)).toThrow(problem);
});

test('production demands what development can do without', () => {
  expect(problems({ NODE_ENV: 'production' })).toEqual([
    'DATABASE_URL is needed in production',
    'JWT_SECRET is needed in production, or JWT_PRIVATE_KEYS',
  ]);
  expect(problems({ NODE_ENV: 'production', PORT: 'x' })).toHaveLength(3);
  expect(problems(complete)).toEqual([]);
});

test('an empty variable counts as absent', () => {
  const empty = Object.fromEntries(['NODE_ENV', 'PORT', 'HOST', 'DATABASE_URL', 'LOG_LEVEL'].map((name) => [name, '']));
  expect(readConfig(empty)).toEqual(readConfig({}));
  expect(problems({ ...complete, DATABASE_URL: '', JWT_SECRET: '' })).toHaveLength(2);
});

test('no value appears in the message', () => {
  const secret = 'canary';
  const names = [
    'NODE_ENV',
    'DATABASE_URL',
    'JWT_SECRET',
    'ALLOWED_ORIGINS',
    'DB_POOL_SIZE',
    'PORT',
    'LOG_LEVEL',
    'TRUST_PROXY',
    'SMTP_URL',
    'MAIL_FROM',
    'APP_URL',
    'JWT_PRIVATE_KEYS',
    'AUTH_JWKS_URL',
  ];
  try {
    readConfig({ ...issuer, ...Object.fromEntries(names.map((name) => [name, secret])) });
    throw new Error('accepted');
  } catch (error) {
    expect((error as ConfigError).problems).toHaveLength(names.length);
    expect(String((error as Error).stack)).not.toContain(secret);
    expect(JSON.stringify(error)).not.toContain(secret);
  }
});

test.each([
  '*',
  'https://*.example.com',
  'https://app.example.com/',
  'https://app.example.com/path',
  'https://APP.example.com',
  'https://app.example.com:443',
  'app.example.com',
  'null',
  'https://good.example.com,evil',
])('%s is not an exact origin', (origin) => {
  expect(problems({ ALLOWED_ORIGINS: origin })).toEqual([expect.stringMatching(/^ALLOWED_ORIGINS /)]);
});

test.each(['1e3', ' 3', '3.0', '0x10', '+3', '١'])('%j is not a whole number', (number) => {
  expect(problems({ DB_POOL_SIZE: number })).toEqual([expect.stringMatching(/^DB_POOL_SIZE /)]);
});

test.each([
  'mail.example.com:587',
  'http://mail.example.com',
  'smtp://',
  'smtp://user@:587',
  'smtps://mail.example.com/path',
  'smtp://mail.example.com?tls.rejectUnauthorized=false',
  'smtp://mail.example.com?requireTLS=no',
  'smtp://mail.example.com#x',
  'smtp://user:100%@mail.example.com',
])('%s is no server for mail', (url) => {
  expect(problems({ SMTP_URL: url, MAIL_FROM: 'a@example.com' })).toEqual([expect.stringMatching(/^SMTP_URL /)]);
});

test('mail needs to come from somebody', () => {
  expect(problems({ SMTP_URL: 'smtp://mail.example.com' })).toEqual(['MAIL_FROM is needed with SMTP_URL']);
});

test.each([
  ['no-reply@example.com', { name: '', address: 'no-reply@example.com' }],
  ['<no-reply@example.com>', { name: '', address: 'no-reply@example.com' }],
  [' Müller & Söhne, Inc. <a@example.com> ', { name: 'Müller & Söhne, Inc.', address: 'a@example.com' }],
])('mail may come from %j', (from, sender) => {
  expect(readConfig({ MAIL_FROM: from }).mail.from).toEqual(sender);
});

test.each([
  'Hedgerow',
  'Hedgerow no-reply@example.com',
  'Hedgerow <no-reply@example.com',
  'Hedgerow no-reply@example.com>',
  'a@example.com, b@example.com',
  'A <a@example.com>, B <b@example.com>',
  'Hedgerow\r\nBcc: eve@example.com <a@example.com>',
  'Hedgerow <a@example.com\r\nBcc: eve@example.com>',
])('mail cannot come from %j', (from) => {
  expect(problems({ MAIL_FROM: from })).toEqual([expect.stringMatching(/^MAIL_FROM /)]);
});

test.each([
  ['https://app.example.com', 'https://app.example.com'],
  ['https://app.example.com/a/b//', 'https://app.example.com/a/b'],
  ['http://localhost:5173', 'http://localhost:5173'],
  ['http://127.0.0.1:5173/', 'http://127.0.0.1:5173'],
  ['http://[::1]:5173', 'http://[::1]:5173'],
])('links may lead to %s', (url, kept) => {
  expect(readConfig({ APP_URL: url }).mail.appUrl).toBe(kept);
});

test.each([
  'app.example.com',
  'http://app.example.com',
  'http://localhost.example.com',
  'http://127.example.com',
  'javascript:alert(1)',
  'https://user@app.example.com',
  'https://app.example.com?',
  'https://app.example.com/#/',
  'https://app.example.com/a b',
  'https://app.example.com/\n',
])('links cannot lead to %j', (url) => {
  expect(problems({ APP_URL: url })).toEqual([expect.stringMatching(/^APP_URL /)]);
});

test('private keys are taken in their order, without what else is in them', () => {
  const [one, two] = [signingKey('one'), signingKey('two')];
  const { alg: _, ...plain } = two;
  const production = { ...complete, JWT_SECRET: '', JWT_PRIVATE_KEYS: keySet({ ...one, use: 'sig' }, plain) };
  expect(readConfig(production)).toMatchObject({ jwtSecret: undefined, privateKeys: [one, two] });
  expect(readConfig(production).privateKeys?.[0]).toEqual(one);
});

const canary = signingKey('canary');
test.each<[string, string]>([
  ['no JSON', `{"keys": ${canary.d}`],
  ['no set', JSON.stringify(canary)],
  ['no list', JSON.stringify({ keys: canary })],
  ['nothing in it', keySet()],
  ['a key of another type', keySet({ ...canary, kty: 'RSA' })],
  ['a key on another curve', keySet({ ...canary, crv: 'P-384' })],
  ['a key for another algorithm', keySet({ ...canary, alg: 'ES384' })],
  ['a public key', keySet({ ...canary, d: undefined })],
  ['a key without a name', keySet({ ...canary, kid: undefined })],
  ['a key with an empty name', keySet({ ...canary, kid: '' })],
  ['a key with a long name', keySet({ ...canary, kid: canary.d.repeat(3) })],
  ['a key with an odd name', keySet({ ...canary, kid: 'canary 1' })],
  ['a key whose name is a number', keySet({ ...canary, kid: 1 })],
  ['two keys of one name', keySet(canary, signingKey('canary'))],
  ["another key's private part", keySet({ ...canary, d: signingKey('other').d })],
  ['a point that is not on the curve', keySet({ ...canary, x: canary.y })],
  ['something wrong behind a good key', keySet(canary, { ...canary, kid: 'next', y: undefined })],
])('private keys with %s are refused in words that quote nothing', (_, JWT_PRIVATE_KEYS) => {
  const told = problems({ JWT_PRIVATE_KEYS });
  expect(told).toEqual([expect.stringMatching(/^JWT_PRIVATE_KEYS is not a JWK set such as npm run keys prints/)]);
  for (const part of [canary.d, canary.x, canary.y, 'canary']) expect(told[0]).not.toContain(part);
});

test('what belongs to another issuer is all there or not at all', () => {
  const { AUTH_ISSUER, AUTH_JWKS_URL } = issuer;
  const together = 'is needed too: AUTH_ISSUER, AUTH_JWKS_URL, AUTH_AUDIENCE go together';
  expect(problems({ AUTH_ISSUER, AUTH_JWKS_URL })).toEqual([`AUTH_AUDIENCE ${together}`]);
  expect(problems({ AUTH_ISSUER })).toEqual([`AUTH_JWKS_URL ${together}`, `AUTH_AUDIENCE ${together}`]);
});

test.each([
  'http://auth.example.com/jwks.json',
  'http://127.0.0.1.example.com/',
  'http://localhost.example.com/',
  'https://user:word@auth.example.com/',
  'file:///etc/passwd',
  'auth.example.com',
])('keys are not fetched from %s', (AUTH_JWKS_URL) => {
  expect(problems({ ...issuer, AUTH_JWKS_URL })).toEqual([expect.stringMatching(/^AUTH_JWKS_URL is not an https/)]);
});

test.each(['http://127.0.0.1:8080/keys', 'http://localhost/keys', 'http://[::1]/keys'])(
  'on this machine keys may be fetched from %s',
  (AUTH_JWKS_URL) => {
    expect(problems({ ...issuer, AUTH_JWKS_URL })).toEqual([]);
  },
);
