import { ConfigError, readConfig } from '../../server/config.ts';

const complete = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://hedgerow_authenticator:word@db.example.com/hedgerow',
  JWT_SECRET: 'a secret that has thirty-two characters or more',
};

/** What readConfig has to say against an environment. */
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
    jwtSecret: undefined,
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
    ...{ PORT: '0', HOST: '::1', LOG_LEVEL: 'warn', TRUST_PROXY: '1' },
    ALLOWED_ORIGINS: 'https://app.example.com, http://localhost:5173,',
  });
  expect(config).toMatchObject({
    production: true,
    databaseUrl: complete.DATABASE_URL,
    listenUrl: 'postgres://direct.example.com/hedgerow',
    pool: { size: 3, timeout: 2, recycle: 60, preparedStatements: false },
    requestTimeout: 20,
    jwtSecret: complete.JWT_SECRET,
    allowedOrigins: ['https://app.example.com', 'http://localhost:5173'],
    port: 0,
    host: '::1',
    logLevel: 'warn',
    trustProxy: 1,
  });
});

test('changes are listened for where the database is, unless told otherwise', () => {
  expect(readConfig(complete).listenUrl).toBe(complete.DATABASE_URL);
});

test('the config cannot be changed', () => {
  const config = readConfig(complete);
  for (const part of [config, config.pool, config.allowedOrigins]) expect(Object.isFrozen(part)).toBe(true);
});

test('every error is told at once, by its variable', () => {
  const wrong = {
    ...{ NODE_ENV: 'prod', DATABASE_URL: 'mysql://db', DATABASE_URL_LISTEN: 'db' },
    ...{ JWT_SECRET: 'short', ALLOWED_ORIGINS: '*' },
    ...{ DB_POOL_SIZE: '0', DB_POOL_TIMEOUT: 'soon', DB_POOL_RECYCLE: '-1' },
    ...{ DB_PREPARED_STATEMENTS: 'maybe', REQUEST_TIMEOUT: '0' },
    ...{ PORT: '65536', LOG_LEVEL: 'loud', TRUST_PROXY: 'true' },
  };
  const told = problems(wrong);
  expect(told.map((problem) => problem.split(' ')[0]).sort()).toEqual(Object.keys(wrong).sort());
  expect(() => readConfig(wrong)).toThrow(ConfigError);
  for (const problem of told) expect(() => readConfig(wrong)).toThrow(problem);
});

test('production demands what development can do without', () => {
  expect(problems({ NODE_ENV: 'production' })).toEqual([
    'DATABASE_URL is needed in production',
    'JWT_SECRET is needed in production',
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
  ];
  try {
    readConfig(Object.fromEntries(names.map((name) => [name, secret])));
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
