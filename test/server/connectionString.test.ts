import pg from 'pg';
import { forLibpq } from '../../dba/backup/runTool.ts';
import { describeUrl } from '../../dba/target.ts';
import { canonicalUrl, clientOptions } from '../../server/database/connectionString.ts';

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
