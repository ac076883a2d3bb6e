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
    ['postgres://h/db?options=a+b', 'postgres://h/db?options=a%20b'],
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
  ])('%s is refused by the name of the mistake', (given, expected) => {
    expect(() => canonicalUrl(given)).toThrow(expected);
  });

  test('changes no setting of node-postgres by the parameters of other tools', () => {
    const { connectionString } = clientOptions(
      'postgres://h/db?query_timeout=1&pgbouncer=true&connection_limit=1&schema=public&options=-c%20a%3Db&application_name=x',
    );
    expect(connectionString).toBe('postgres://h/db?options=-c%20a%3Db&application_name=x');
  });

  test('with sslmode=no-verify encrypts without checking the certificate', () => {
    const { ssl } = new pg.Client(clientOptions('postgres://h/db?sslmode=no-verify')) as unknown as { ssl: unknown };
    expect(ssl).toMatchObject({ rejectUnauthorized: false });
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
