import { PostgresClient, type PostgresClientConfig } from './client.ts';
import {
  ConnectionStringError,
  checkParameters,
  decode,
  readParameters,
  replaceSsl,
  unreadable,
  writeParameters,
} from './connectionParameters.ts';
import { ignoresEnvironment, inheritParameters } from './libpqEnvironment.ts';

export { ConnectionStringError } from './connectionParameters.ts';

/**
 * Parameters to pass to node-postgres. It reads every parameter as one of its settings. So `?query_timeout=…` or a parameter
 * of another tool (`pgbouncer=true`) would change its behavior.
 */
const passedOn = new Set([
  'application_name',
  'channel_binding',
  'client_encoding',
  'fallback_application_name',
  'idle_in_transaction_session_timeout',
  'libpq_environment',
  'lock_timeout',
  'options',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslnegotiation',
  'sslrootcert',
  'statement_timeout',
]);

/**
 * Rewrites a connection URI so that `URL`, node-postgres and libpq read the same from it:
 *
 * - Parameters for the server (`?host=`, `?user=` and so on) move to the places that URIs have for them.
 * - The directory of a Unix-domain socket becomes a percent-encoded host. A space becomes `%20`, and `ssl` `sslmode`.
 * - Environment variables of libpq add the parameters that are missing.
 *
 * Rewriting twice changes nothing.
 *
 * @throws ConnectionStringError if the text is malformed, contradicts itself, or has parameters that cannot be honored.
 */
export function canonicalUrl(text: string): string {
  const parts = split(text.trim());
  const parameters = readParameters(parts.search);
  const take = (name: string) => {
    const value = parameters.get(name);
    parameters.delete(name);
    return value === '' ? undefined : value;
  };
  const host = (take('host') ?? decode(parts.host)) || process.env.PGHOST || 'localhost';
  const user = take('user') ?? decode(parts.user);
  const password = take('password') ?? decode(parts.password);
  const port = take('port') ?? parts.port;
  const database = take('dbname') ?? decode(parts.database);
  checkServer(host, port);
  checkDatabase(database);
  replaceSsl(parameters);
  const ignores = ignoresEnvironment(host, port) || parameters.get('libpq_environment') === 'off';
  const inherited = ignores ? new Map() : inheritParameters(parameters, process.env);
  nameVariables(inherited, () => checkParameters(parameters, host));
  const credentials = user || password ? `${encode(user)}${password && `:${encode(password)}`}@` : '';
  const query = writeParameters(parameters);
  // node-postgres decodes the path by decodeURI, which leaves the codes of delimiters as they are.
  const path = `/${encodeURI(database)}`;
  const server = `${encodeHost(host)}${port && `:${port}`}`;
  const url = `${parts.scheme}//${credentials}${server}${path}${query && `?${query}`}`;
  if (!URL.canParse(url)) throw new ConnectionStringError(unreadable);
  return url;
}

/** Runs `check`. Adds the environment variables that set the rejected parameters to the message of its error. */
function nameVariables(inherited: ReadonlyMap<string, string>, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ConnectionStringError)) throw error;
    const { message } = error;
    const [fault = ''] = message.split(':', 1);
    const set = [...inherited].filter(([name]) => new RegExp(`\\b${name}\\b`).test(fault));
    const origins = set.map(([name, variable]) => `${name} comes from the environment variable ${variable}`);
    throw origins.length > 0 ? new ConnectionStringError(`${message} (${origins.join(', ')})`) : error;
  }
}

/**
 * Returns node-postgres' options for a connection URI, with the semantics of libpq for `sslmode` and `channel_binding`.
 *
 * - `require` encrypts; `verify-ca` and `verify-full` also check the certificate.
 * - `prefer` and `allow` encrypt if the server offers TLS, and connect without it otherwise.
 * - `channel_binding=require` needs TLS, and a server that proves through SCRAM-SHA-256-PLUS that it knows the password.
 *
 * @throws ConnectionStringError as `canonicalUrl`.
 */
export function clientOptions(text: string): PostgresClientConfig & { readonly connectionString: string } {
  const url = new URL(canonicalUrl(text));
  const given = readParameters(url.search);
  const parameters = new Map([...given].filter(([name]) => passedOn.has(name)));
  const bound = given.get('channel_binding') === 'require';
  const system = given.get('sslrootcert') === 'system';
  const mode = given.get('sslmode') ?? (system ? 'verify-full' : bound ? 'require' : undefined);
  const fallsBack = (mode === 'prefer' || mode === 'allow') && !bound;
  if (isSocket(decode(url.hostname))) {
    for (const name of ['sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation']) parameters.delete(name);
  } else if (mode !== undefined) {
    parameters.set(
      'sslmode',
      fallsBack ? 'prefer' : ['prefer', 'allow', 'no-verify'].includes(mode) ? 'require' : mode,
    );
    parameters.set('uselibpqcompat', 'true');
    if (mode === 'no-verify') parameters.delete('sslrootcert');
  }
  // Otherwise PGSSLROOTCERT would replace the removed parameter when the string for graphile-migrate is read again.
  if (system || mode === 'no-verify') parameters.set('libpq_environment', 'off');
  // In libpq, `system` means the certificates that the system trusts. Node trusts its own list by default.
  if (system) parameters.delete('sslrootcert');
  url.search = writeParameters(parameters);
  const connectTimeout = seconds(given.get('connect_timeout'));
  return {
    Client: PostgresClient,
    connectionString: url.href,
    application_name: 'hedgerow',
    keepAlive: given.get('keepalives') !== '0',
    // Node's default is that of the operating system: two hours.
    keepAliveInitialDelayMillis: (seconds(given.get('keepalives_idle')) || 30) * 1000,
    ...(connectTimeout > 0 && { connectionTimeoutMillis: connectTimeout * 1000 }),
    // Without these, node-postgres would read PGSSLMODE and PGSSLNEGOTIATION. Parameters in the URI take precedence.
    ssl: false,
    sslnegotiation: 'postgres',
    enableChannelBinding: bound,
    tlsFallback: fallsBack && !isSocket(decode(url.hostname)),
  };
}

/** Parses whole seconds. Returns 0, the default, for other text. */
function seconds(text = ''): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : 0;
}

/** Returns the decoded host of a connection URI: a name, an address, or the directory of a socket. */
export function hostOf(url: string): string {
  return decode(new URL(url).hostname);
}

/** The parts of a connection URI, still percent-encoded. */
interface Parts {
  readonly scheme: string;
  readonly user: string;
  readonly password: string;
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly search: string;
}

/** Splits a connection URI as libpq does: a password may contain `#` and `?`, and other parts may contain `#`. */
function split(text: string): Parts {
  const [, scheme, rest] = /^(postgres(?:ql)?:)\/\/(.*)$/s.exec(text) ?? [];
  if (scheme === undefined || rest === undefined) throw new ConnectionStringError(unreadable);
  const at = endOfCredentials(rest);
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(rest.slice(0, Math.max(at, 0))) ?? [];
  const server = /^(\[[^\]]*\]|[^:/?#[\]]*)(?::([^/?#]*))?(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest.slice(at + 1));
  if (!server) throw new ConnectionStringError(unreadable);
  const [, host = '', port = '', database = '', search = ''] = server;
  return { scheme, user, password, host, port, database, search };
}

/** Returns the index of the `@` after the credentials, or -1. Unlike in libpq, a password may contain `@`. */
function endOfCredentials(rest: string): number {
  const [beforeSlash = ''] = rest.split('/', 1);
  const [beforeQuery = ''] = beforeSlash.split(/[?#]/, 1);
  if (beforeQuery.includes('@')) return beforeQuery.lastIndexOf('@');
  // Otherwise a parameter such as `?user=a@b` would be read as credentials.
  if (/^[^?#]*\?\w+=/.test(beforeSlash)) return -1;
  return beforeSlash.lastIndexOf('@');
}

function checkServer(host: string, port: string): void {
  if (/,/.test(`${host}${port}`)) {
    throw new ConnectionStringError('names several hosts; node-postgres connects to one: name the primary');
  }
  if (host.startsWith('@')) {
    throw new ConnectionStringError(
      'names an abstract socket, which node-postgres cannot reach: name the directory of a socket, such as /run/postgresql',
    );
  }
  if (port !== '' && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    throw new ConnectionStringError(
      'has a port that is not a number from 1 to 65535. If a password has special characters, percent-encode them: / as %2F, @ as %40',
    );
  }
}

function checkDatabase(name: string): void {
  if (/[?#\0]|(^|\/)\.{1,2}(\/|$)/.test(name)) {
    throw new ConnectionStringError(
      'names a database with ?, # or a path such as .. in its name, which node-postgres cannot read: rename the database',
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

function encode(text: string): string {
  return encodeURIComponent(text);
}
