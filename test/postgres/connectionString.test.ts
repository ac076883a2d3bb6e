import pg from 'pg';
import { forLibpq } from '../../dba/backup/runTool.ts';
import { canonicalUrl, clientOptions } from '../../postgres/connectionString.ts';
import { ignoreEnvironmentFor, withoutLibpqVariables } from '../../postgres/libpqEnvironment.ts';
import { describeUrl } from '../../postgres/target/target.ts';

/** The settings that node-postgres reads from a connection string. */
function settingsOf(url: string): Record<string, unknown> {
  const { host, port, user, password, database } = new pg.Client(clientOptions(url));
  return { host, port, user, password, database };
}

describe('a connection string', () => {
  test.each([
    ['postgres://u:p@h:5433/db', 'postgres://u:p@h:5433/db'],
    ['postgresql://u@h/db', 'postgresql://u@h/db'],
    ['postgres:///db?host=/run/postgresql', 'postgres://%2Frun%2Fpostgresql/db'],
    ['postgres://u@/db?host=/run/postgresql', 'postgres://u@%2Frun%2Fpostgresql/db'],
    ['postgres://u:p@%2Frun%2Fpostgresql/db', 'postgres://u:p@%2Frun%2Fpostgresql/db'],
    ['postgres://h/db?user=u&password=p%40&port=5433', 'postgres://u:p%40@h:5433/db'],
    ['postgres://h/?dbname=a%20b', 'postgres://h/a%20b'],
    ['postgres://[::1]:5433/db', 'postgres://[::1]:5433/db'],
    ['postgres:///db?host=::1', 'postgres://[::1]/db'],
    ['postgres://h/db?options=-c%20work_mem%3D8MB', 'postgres://h/db?options=-c%20work_mem%3D8MB'],
    ['postgres://h/db?options=a+b', 'postgres://h/db?options=a%2Bb'],
    ['postgres://h/db?password=a+b', 'postgres://:a%2Bb@h/db'],
    ['postgres://u:p#1@h/db', 'postgres://u:p%231@h/db'],
    ['postgres://u:p?1@h:5433/db?sslmode=require', 'postgres://u:p%3F1@h:5433/db?sslmode=require'],
    ['postgres://u:p@1@h/db', 'postgres://u:p%401@h/db'],
    ['postgres://h/db?password=a#b', 'postgres://:a%23b@h/db'],
    ['postgres://h?user=a@b', 'postgres://a%40b@h/'],
    ['postgres://h/a%40b%2Fc%3Dd', 'postgres://h/a@b/c=d'],
    ['postgres://h/a%2540', 'postgres://h/a%2540'],
    ['postgres://h/db?ssl=true', 'postgres://h/db?sslmode=require'],
    ['postgres://h/db?ssl=true&sslmode=verify-full', 'postgres://h/db?sslmode=verify-full'],
    ['postgres://h/db?ssl=no-verify', 'postgres://h/db?sslmode=no-verify'],
    ['postgres://h/db?target_session_attrs=any', 'postgres://h/db?target_session_attrs=any'],
    ['postgres://h/db?target_session_attrs=prefer-standby', 'postgres://h/db?target_session_attrs=prefer-standby'],
    ['postgres://h/db?ssl_min_protocol_version=TLSv1.2', 'postgres://h/db?ssl_min_protocol_version=TLSv1.2'],
  ])('%s is read as libpq reads it', (given, expected) => {
    expect(canonicalUrl(given)).toBe(expected);
    expect(canonicalUrl(expected)).toBe(expected);
  });

  test('with a socket leads node-postgres to the socket', () => {
    const expected = { host: '/run/pg', port: 5433, user: 'u', password: 'p@', database: 'db' };
    expect(settingsOf('postgres://u:p%40@/db?host=/run/pg&port=5433')).toEqual(expected);
    expect(describeUrl('postgres://u:p%40@/db?host=/run/pg')).toBe('database db on /run/pg:5432');
  });

  test.each([
    ['hedgerow', /^cannot be read/],
    ['mysql://h/db', /^cannot be read/],
    ['postgres://u:100%@h/db', /^cannot be read/],
    ['postgres://h/db?sslmode=requrie', /unknown sslmode: use one of disable, allow, prefer, require/],
    ['postgres://h/db?channel_binding=yes', /unknown channel_binding/],
    ['postgres://h/db?channel_binding=require&sslmode=disable', /needs TLS/],
    ['postgres:///db?channel_binding=require&host=/run/pg', /needs TLS/],
    ['postgres://a,b/db', /several hosts/],
    ['postgres://h/db?port=x', /port/],
    ['postgres://h:70000/db', /port that is not a number from 1 to 65535/],
    ['postgres://h:0/db', /from 1 to 65535/],
    ['postgres://u:a/b@h/db', /percent-encode/],
    ['postgres://h/a%3Fb', /rename the database/],
    ['postgres:///db?host=@abstract', /abstract socket.*directory/],
    ['postgres://%40abstract/db', /abstract socket/],
    ['postgres://h/db?hostaddr=127.0.0.1', /hostaddr.*as the host/],
    ['postgres:///?service=shop', /service.*into the connection string/],
    ['postgres://h/db?require_auth=scram-sha-256', /require_auth.*channel_binding=require/],
    ['postgres://h/db?ssl_min_protocol_version=TLSv1.3', /--tls-min-v1.3/],
    ['postgres://h/db?ssl_max_protocol_version=TLSv1.2', /--tls-max-v1.2/],
    ['postgres://h/db?sslcrl=revoked.pem', /sslcrl/],
    ['postgres://h/db?sslcrldir=revoked', /sslcrldir/],
    ['postgres://h/db?sslpassword=secret', /without a passphrase/],
    ['postgres://h/db?sslcertmode=require', /sslcertmode/],
    ['postgres://h/db?target_session_attrs=read-write', /target_session_attrs.*primary/],
    ['postgres://h/db?gssencmode=require', /GSSAPI/],
    ['postgres://h/db?requirepeer=postgres', /requirepeer/],
    ['postgres://h/db?passfile=x', /PGPASSFILE/],
    ['postgres://h/db?sslmod=verify-full', /sslmod, which libpq does not know/],
    ['postgres://h/db?sslaccept=strict', /sslaccept/],
    ['postgres://h/db?ssl=maybe', /unknown value of ssl/],
    ['postgres://h/db?ssl=true&sslmode=disable', /contradict/],
    ['postgres://h/db?sslmode=require&sslrootcert=system', /verify-full/],
    ['postgres://h/db?sslmode=verify-ca', /without sslrootcert/],
    ['postgres://h/db?sslnegotiation=direct&sslmode=prefer', /sslnegotiation=direct.*sslmode=require/],
    ['postgres://h/db?targetServerType=primary', /targetServerType, which libpq does not know: remove it; the host/],
    ['postgres://h/db?host_override=1', /host_override, .*: remove it; the host/],
    ['postgres://h/db?service_tier=1', /service_tier, .*: remove it; host, user and database/],
    ['postgres://h/db?authSource=admin', /authSource, .*: remove it; channel_binding=require/],
    ['postgres://h/db?passphrase=x', /passphrase, .*: remove it; the password/],
    ['postgres://h/db?scram_client_key=x', /scram_client_key with a value .*: remove it and write the password/],
    ['postgres://h/db?oauth_issuer=x', /oauth_issuer with a value .*OAuth/],
    [
      'postgres://h/db?target_session_attrs=primary',
      /target_session_attrs.*: remove it; a connection string names one/,
    ],
    ['postgres://h/db?sslnegotiation=often', /unknown sslnegotiation/],
  ])('%s is refused by the name of the mistake', (given, expected) => {
    expect(() => canonicalUrl(given)).toThrow(expected);
  });

  test('changes no setting of node-postgres by the parameters of other tools', () => {
    const { connectionString } = clientOptions(
      'postgres://h/db?query_timeout=1&pgbouncer=true&connection_limit=1&schema=public&options=-c%20a%3Db&application_name=x',
    );
    expect(connectionString).toBe('postgres://h/db?options=-c%20a%3Db&application_name=x');
  });

  test.each([
    ['postgres://h/a%40b%2Fc', 'a@b/c'],
    ['postgres://h/a%2540', 'a%40'],
    ['postgres://h/a%2Bb%20%26', 'a+b &'],
  ])('%s leads node-postgres to the database', (url, database) => {
    expect(settingsOf(url)).toMatchObject({ database });
  });

  test('with connect_timeout and keepalives has node-postgres keep them', () => {
    const url = 'postgres://h/db?connect_timeout=7&keepalives_idle=60';
    expect(clientOptions(url)).toMatchObject({ connectionTimeoutMillis: 7000, keepAliveInitialDelayMillis: 60_000 });
    expect(clientOptions('postgres://h/db?keepalives=0')).toMatchObject({ keepAlive: false });
  });

  test('with sslrootcert=system checks the certificate and the host name', () => {
    const { ssl } = new pg.Client(clientOptions('postgres://h/db?sslrootcert=system')) as unknown as { ssl: unknown };
    expect(ssl).toEqual({});
  });

  test('with sslmode=no-verify encrypts without checking the certificate', () => {
    const { ssl } = new pg.Client(clientOptions('postgres://h/db?sslmode=no-verify')) as unknown as { ssl: unknown };
    expect(ssl).toMatchObject({ rejectUnauthorized: false });
  });
});

describe('an environment variable of libpq', () => {
  const saved = { ...process.env };
  afterEach(() => {
    process.env = { ...saved };
  });
  const tlsOf = (url: string) => (new pg.Client(clientOptions(url)) as unknown as { ssl: unknown }).ssl;

  test.each([
    ['PGSSLMODE', 'require', 'sslmode=require'],
    ['PGCHANNELBINDING', 'require', 'channel_binding=require'],
    ['PGSSLROOTCERT', 'system', 'sslrootcert=system'],
    ['PGCONNECT_TIMEOUT', '7', 'connect_timeout=7'],
    ['PGTARGETSESSIONATTRS', 'any', 'target_session_attrs=any'],
    ['PGREQUIRESSL', '1', 'sslmode=require'],
  ])('%s=%s is the parameter that the connection string does not have', (variable, value, expected) => {
    process.env[variable] = value;
    expect(canonicalUrl('postgres://h/db')).toBe(`postgres://h/db?${expected}`);
    expect(canonicalUrl(canonicalUrl('postgres://h/db'))).toBe(`postgres://h/db?${expected}`);
  });

  test('has the meaning of libpq: PGSSLMODE=require does not check the certificate, PGCHANNELBINDING=require encrypts', () => {
    process.env.PGSSLMODE = 'require';
    expect(tlsOf('postgres://h/db')).toMatchObject({ rejectUnauthorized: false });
    expect(tlsOf('postgres://h/db?sslmode=disable')).toBe(false);
    expect(tlsOf('postgres:///db?host=/run/pg')).toBe(false);
    process.env = { ...saved, PGSSLMODE: 'verify-full' };
    expect(tlsOf('postgres://h/db')).toEqual({});
    process.env = { ...saved, PGCHANNELBINDING: 'require' };
    expect(clientOptions('postgres://h/db')).toMatchObject({ enableChannelBinding: true });
    expect(tlsOf('postgres://h/db')).toMatchObject({ rejectUnauthorized: false });
    expect(() => canonicalUrl('postgres://h/db?sslmode=disable')).toThrow(/PGCHANNELBINDING/);
  });

  test.each([
    ['PGHOSTADDR', '127.0.0.1'],
    ['PGSERVICE', 'shop'],
    ['PGREQUIREAUTH', 'scram-sha-256'],
    ['PGREQUIREPEER', 'postgres'],
    ['PGSSLCRL', 'revoked.pem'],
    ['PGSSLCRLDIR', 'revoked'],
    ['PGSSLCERTMODE', 'require'],
    ['PGSSLMINPROTOCOLVERSION', 'TLSv1.3'],
    ['PGGSSENCMODE', 'require'],
    ['PGTARGETSESSIONATTRS', 'read-write'],
    ['PGSSLMODE', 'verify-ca'],
    ['PGSSLMODE', 'strict'],
    ['PGSSLNEGOTIATION', 'often'],
  ])('%s=%s, which cannot be honored, is refused by its name', (variable, value) => {
    process.env[variable] = value;
    expect(() => canonicalUrl('postgres://h/db')).toThrow(
      new RegExp(`comes from the environment variable ${variable}\\)`),
    );
    expect(() => clientOptions('postgres://h/db')).toThrow(variable);
  });

  test.each(['sslrootcert=system', 'sslmode=no-verify'])(
    'does not replace %s in a string that is read twice, as that of graphile-migrate',
    (parameter) => {
      process.env.PGSSLROOTCERT = '/missing.pem';
      const url = `postgres://h/db?${parameter}`;
      const twice = clientOptions(url).connectionString;
      expect(tlsOf(twice)).toEqual(tlsOf(url));
    },
  );

  test('does not count with libpq_environment=off', () => {
    process.env.PGSSLMODE = 'require';
    process.env.PGHOSTADDR = '::1';
    const url = 'postgres://h/db?libpq_environment=off';
    expect(canonicalUrl(url)).toBe(url);
    expect(tlsOf(url)).toBe(false);
    expect(forLibpq(url).connection).toBe('postgres://h/db');
  });

  test('does not count for a server of this process', () => {
    ignoreEnvironmentFor('127.0.0.1', 5999);
    process.env = { ...saved, PGHOSTADDR: '::1', PGSSLMODE: 'require', PGSSLNEGOTIATION: 'direct' };
    expect(canonicalUrl('postgres://127.0.0.1:5999/db')).toBe('postgres://127.0.0.1:5999/db');
    expect(tlsOf('postgres://127.0.0.1:5999/db')).toBe(false);
    expect(() => canonicalUrl('postgres://127.0.0.1:5998/db')).toThrow('PGHOSTADDR');
    expect(withoutLibpqVariables({ PGHOSTADDR: '::1', PGSSLMODE: 'require', PGOPTIONS: '-c a=b' })).toEqual({
      PGOPTIONS: '-c a=b',
    });
  });
});

test('pg_dump encrypts where the connection string says ssl=true', () => {
  expect(forLibpq('postgres://h/a%40b?ssl=true&password=a+b')).toEqual({
    connection: 'postgres://h/a@b?sslmode=require',
    password: 'a+b',
  });
});

test('pg_dump gets its own parameters, a space as %20, and no password', () => {
  const url =
    'postgres://u:p%40@h/db?schema=public&pgbouncer=true&connection_limit=5&options=-c%20work_mem%3D8MB&sslmode=no-verify&channel_binding=prefer';
  expect(forLibpq(url)).toEqual({
    connection: 'postgres://u@h/db?options=-c%20work_mem%3D8MB&sslmode=require&channel_binding=prefer',
    password: 'p@',
  });
});
