import { PostgresClient, type PostgresClientConfig } from './client.ts';

/** A connection string that cannot be used. The message never contains the string, which may hold a password. */
export class ConnectionStringError extends Error {}

const unreadable =
  'cannot be read. It must look like postgres://user:password@host:5432/database, with special characters percent-encoded: @ as %40, / as %2F, % as %25';

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
const channelBindings = ['disable', 'prefer', 'require'];

/** Stands in for an empty host, which `URL` does not read beside a user or a port. */
const noHost = 'no-host.invalid';

/**
 * Parameters that node-postgres gets. It reads every parameter as one of its own settings, so that `?query_timeout=…` or
 * a parameter of another tool (`pgbouncer=true`) would change how it works.
 */
const passedOn = new Set([
  'application_name',
  'channel_binding',
  'client_encoding',
  'fallback_application_name',
  'idle_in_transaction_session_timeout',
  'lock_timeout',
  'options',
  'ssl',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'statement_timeout',
]);

/**
 * Rewrites a connection URI so that `URL`, node-postgres and libpq read the same from it. Parameters that libpq lets name
 * the server (`?host=`, `?user=` and so on) move to where URIs have them; the directory of a Unix-domain socket becomes
 * a percent-encoded host; a space is `%20`, never `+`. Rewriting twice changes nothing.
 *
 * @throws ConnectionStringError if it cannot be read or contradicts itself.
 */
export function canonicalUrl(text: string): string {
  const url = parse(text.trim());
  const parameters = readParameters(url.search);
  const take = (name: string) => {
    const value = parameters.get(name);
    parameters.delete(name);
    return value === '' ? undefined : value;
  };
  const host = take('host') ?? (url.hostname === noHost ? undefined : decode(url.hostname));
  const user = take('user') ?? decode(url.username);
  const password = take('password') ?? decode(url.password);
  const port = take('port') ?? url.port;
  const database = take('dbname');
  decode(url.pathname);
  if (/,/.test(`${host ?? ''}${port}`)) {
    throw new ConnectionStringError('names several hosts; node-postgres connects to one: name the primary');
  }
  if (!/^\d*$/.test(port)) throw new ConnectionStringError('has a port that is not a number');
  checkValues(parameters, host);
  const credentials = user || password ? `${encode(user)}${password && `:${encode(password)}`}@` : '';
  const path = database === undefined ? url.pathname || '/' : `/${encodeURI(database).replace(/[?#]/g, encode)}`;
  const query = [...parameters].map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  const server = `${encodeHost(host ?? process.env.PGHOST ?? 'localhost')}${port && `:${port}`}`;
  return `${url.protocol}//${credentials}${server}${path}${query && `?${query}`}`;
}

/**
 * node-postgres' options for a connection URI, with `sslmode` and `channel_binding` as libpq means them.
 *
 * - `require` encrypts; `verify-ca` and `verify-full` also check the certificate.
 * - `prefer` and `allow` encrypt if the server offers TLS, and connect without it otherwise.
 * - `channel_binding=require` needs TLS and a server that proves by SCRAM-SHA-256-PLUS that it knows the password.
 *
 * @throws ConnectionStringError as `canonicalUrl`.
 */
export function clientOptions(text: string): PostgresClientConfig & { readonly connectionString: string } {
  const url = new URL(canonicalUrl(text));
  const given = readParameters(url.search);
  const parameters = new Map([...given].filter(([name]) => passedOn.has(name)));
  const bound = given.get('channel_binding') === 'require';
  const mode = given.get('sslmode') ?? (given.get('ssl') === 'no-verify' ? 'no-verify' : bound ? 'require' : undefined);
  const fallsBack = (mode === 'prefer' || mode === 'allow') && !bound;
  if (isSocket(decode(url.hostname))) {
    for (const name of ['ssl', 'sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation'])
      parameters.delete(name);
  } else if (mode !== undefined) {
    parameters.set(
      'sslmode',
      fallsBack ? 'prefer' : ['prefer', 'allow', 'no-verify'].includes(mode) ? 'require' : mode,
    );
    parameters.set('uselibpqcompat', 'true');
    if (mode === 'no-verify') parameters.delete('sslrootcert');
  }
  // libpq's name for the certificates that the system trusts, which are Node's default.
  if (parameters.get('sslrootcert') === 'system') parameters.delete('sslrootcert');
  url.search = [...parameters].map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  return {
    Client: PostgresClient,
    connectionString: url.href,
    application_name: 'hedgerow',
    keepAlive: true,
    // Node's default leaves it to the system, which waits for two hours.
    keepAliveInitialDelayMillis: 30_000,
    enableChannelBinding: bound,
    tlsFallback: fallsBack && !isSocket(decode(url.hostname)),
  };
}

/** The host of a connection URI as a person writes it: a name, an address, or the directory of a socket. */
export function hostOf(url: string): string {
  return decode(new URL(url).hostname);
}

/** The parameters of a connection URI. `+` is a space, as for node-postgres; libpq takes it for a plus sign. */
export function readParameters(search: string): Map<string, string> {
  const parts = search.replace(/^\?/, '').replaceAll('+', '%20').split('&').filter(Boolean);
  return new Map(
    parts.map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [decode(part), ''] : [decode(part.slice(0, at)), decode(part.slice(at + 1))];
    }),
  );
}

function parse(text: string): URL {
  const url = text.replace(/^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)(?=[:/?#]|$)/, `$1${noHost}`);
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new ConnectionStringError(unreadable);
  }
  return new URL(url);
}

function checkValues(parameters: ReadonlyMap<string, string>, host: string | undefined): void {
  const mode = parameters.get('sslmode');
  if (mode !== undefined && mode !== 'no-verify' && !sslModes.includes(mode)) {
    throw new ConnectionStringError(`has an unknown sslmode: use one of ${sslModes.join(', ')}`);
  }
  const binding = parameters.get('channel_binding');
  if (binding !== undefined && !channelBindings.includes(binding)) {
    throw new ConnectionStringError(`has an unknown channel_binding: use one of ${channelBindings.join(', ')}`);
  }
  if (binding !== 'require') return;
  if (mode === 'disable') {
    throw new ConnectionStringError(
      'has channel_binding=require, which needs TLS, and sslmode=disable: change one of them',
    );
  }
  if (isSocket(host)) {
    throw new ConnectionStringError(
      'has channel_binding=require, which needs TLS, and names a Unix-domain socket, which has none: leave one of them out',
    );
  }
}

function isSocket(host: string | undefined): boolean {
  return host?.startsWith('/') ?? false;
}

function encodeHost(host: string): string {
  if (isSocket(host)) return encode(host);
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConnectionStringError(unreadable);
  }
}

function encode(text: string): string {
  return encodeURIComponent(text);
}
