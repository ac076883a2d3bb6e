/** A connection string is unusable. The message never contains the string, which may hold a password. */
export class ConnectionStringError extends Error {}

/** Message for text that is not a connection string. */
export const unreadable =
  'cannot be read. It must look like postgres://user:password@host:5432/database, with special characters percent-encoded: @ as %40, / as %2F, % as %25';

/** Allowed values of libpq parameters that every connection honors. */
const allowedValues: Readonly<Record<string, readonly string[] | undefined>> = {
  channel_binding: ['disable', 'prefer', 'require'],
  sslmode: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'],
  sslnegotiation: ['postgres', 'direct'],
};

interface Unsupported {
  /** Values that match the behavior of node-postgres anyway. */
  readonly honored?: RegExp;
  /** Advice: what to write instead. */
  readonly instead: string;
}

const oauth = { instead: 'remove it; connections here do not use OAuth' };
const scram = { instead: 'remove it and write the password, which connections here need' };
const gss = { instead: 'remove it; connections here do not use GSSAPI' };

/**
 * Parameters that node-postgres cannot honor. Ignoring them could connect to another server, or less securely, than the
 * connection string says.
 */
const unsupported: Readonly<Record<string, Unsupported>> = {
  gssencmode: { honored: /^(disable|prefer)$/, ...gss },
  gssdelegation: { honored: /^0$/, ...gss },
  hostaddr: { instead: 'write the address as the host' },
  load_balance_hosts: { honored: /^disable$/, instead: 'remove it; a connection string names one host' },
  max_protocol_version: { honored: /^(3\.0|latest)$/, instead: 'remove it; connections here use protocol 3.0' },
  min_protocol_version: { honored: /^3\.0$/, instead: 'remove it; connections here use protocol 3.0' },
  oauth_client_id: oauth,
  oauth_client_secret: oauth,
  oauth_issuer: oauth,
  oauth_scope: oauth,
  passfile: { instead: 'set the environment variable PGPASSFILE' },
  replication: { honored: /^(false|off|no|0)$/, instead: 'remove it; connections here run SQL' },
  require_auth: {
    instead: 'remove it, or write channel_binding=require, which allows SCRAM-SHA-256 with channel binding alone',
  },
  requirepeer: { instead: 'use TLS with sslmode=verify-full, which names the server' },
  scram_client_key: scram,
  scram_server_key: scram,
  service: { instead: 'write host, user and database of the service into the connection string' },
  servicefile: { instead: 'write host, user and database of the service into the connection string' },
  ssl_max_protocol_version: {
    honored: /^TLSv1\.3$/,
    instead: 'set the environment variable NODE_OPTIONS=--tls-max-v1.2',
  },
  ssl_min_protocol_version: {
    honored: /^TLSv1(\.[12])?$/,
    instead: 'set the environment variable NODE_OPTIONS=--tls-min-v1.3',
  },
  sslcertmode: {
    honored: /^allow$/,
    instead: 'remove it; a certificate is sent where sslcert and sslkey name one and the server asks for it',
  },
  sslcompression: { honored: /^0$/, instead: 'remove it; TLS 1.3 has no compression' },
  sslcrl: { instead: 'remove it; revoked certificates cannot be checked here' },
  sslcrldir: { instead: 'remove it; revoked certificates cannot be checked here' },
  sslkeylogfile: { instead: 'remove it' },
  sslpassword: { instead: 'name a key without a passphrase by sslkey' },
  sslsni: { honored: /^1$/, instead: 'remove it; the name of the host is always sent' },
  target_session_attrs: {
    honored: /^(any|prefer-standby)$/,
    instead:
      'remove it; a connection string names one host, and it must be that of the server that is wanted, such as the primary',
  },
};

const authentication = 'remove it; channel_binding=require is how to demand SCRAM-SHA-256 with channel binding';
const server = 'remove it; the host of the connection string is the server';

/** Prefixes of unknown names that must concern TLS, authentication or the choice of the server, with advice. */
const relevantToSecurity: readonly (readonly [RegExp, string])[] = [
  [/^(ssl|tls)/i, 'set sslmode instead'],
  [/^(channel|require|auth|gss|krb|oauth|scram)/i, authentication],
  [/^(host|target)/i, server],
  [/^service/i, 'remove it; host, user and database stand in the connection string'],
  [/^pass/i, 'remove it; the password stands before the @, or in the file that PGPASSFILE names'],
];

/** Parameters that are safe with any value. */
const otherNames = [
  'application_name',
  'client_encoding',
  'connect_timeout',
  'fallback_application_name',
  'gsslib',
  'krbsrvname',
  'sslcert',
  'sslkey',
  'sslrootcert',
];

/** Parses the parameters of a connection URI. As in libpq, `+` is a plus sign and a space is `%20`. */
export function readParameters(search: string): Map<string, string> {
  const parts = search.replace(/^\?/, '').split('&').filter(Boolean);
  return new Map(
    parts.map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [decode(part), ''] : [decode(part.slice(0, at)), decode(part.slice(at + 1))];
    }),
  );
}

export function writeParameters(parameters: ReadonlyMap<string, string>): string {
  return [...parameters].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
}

/** @throws ConnectionStringError if the text is not percent-encoded. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConnectionStringError(unreadable);
  }
}

/**
 * Replaces `ssl`, which libpq accepts from JDBC's connection strings, by the equivalent `sslmode`.
 *
 * @throws ConnectionStringError if it contradicts `sslmode`.
 */
export function replaceSsl(parameters: Map<string, string>): void {
  const ssl = parameters.get('ssl');
  if (ssl === undefined) return;
  parameters.delete('ssl');
  const mode = { true: 'require', 1: 'require', false: 'disable', 0: 'disable', 'no-verify': 'no-verify' }[ssl];
  if (mode === undefined) throw new ConnectionStringError('has an unknown value of ssl: write sslmode=require');
  const given = parameters.get('sslmode');
  if (given === undefined) parameters.set('sslmode', mode);
  else if ((given === 'disable') !== (mode === 'disable')) {
    throw new ConnectionStringError('has ssl and sslmode, which contradict each other: remove ssl');
  }
}

/** @throws ConnectionStringError if a connection to `host` cannot honor the parameters. */
export function checkParameters(parameters: ReadonlyMap<string, string>, host: string | undefined): void {
  for (const [name, value] of parameters) checkParameter(name, value);
  const mode = parameters.get('sslmode');
  checkRootCertificate(parameters.get('sslrootcert'), mode);
  const isWeak = mode === 'disable' || mode === 'allow' || mode === 'prefer';
  if (isWeak && parameters.get('sslnegotiation') === 'direct' && !host?.startsWith('/')) {
    throw new ConnectionStringError(
      `has sslnegotiation=direct, which needs TLS, and sslmode=${mode}: write sslmode=require, or remove sslnegotiation`,
    );
  }
  if (parameters.get('channel_binding') !== 'require') return;
  if (mode === 'disable') {
    throw new ConnectionStringError(
      'has channel_binding=require, which needs TLS, and sslmode=disable: change one of them',
    );
  }
  if (host?.startsWith('/')) {
    throw new ConnectionStringError(
      'has channel_binding=require, which needs TLS, and names a Unix-domain socket, which has none: leave one of them out',
    );
  }
}

function checkParameter(name: string, value: string): void {
  const known = allowedValues[name];
  if (known && !known.includes(value)) {
    throw new ConnectionStringError(`has an unknown ${name}: use one of ${known.join(', ')}`);
  }
  const { honored, instead } = unsupported[name] ?? {};
  if (instead !== undefined && !honored?.test(value)) {
    throw new ConnectionStringError(`has the parameter ${name} with a value that cannot be honored here: ${instead}`);
  }
  if (known || instead !== undefined || otherNames.includes(name)) return;
  const [, advice] = relevantToSecurity.find(([prefix]) => prefix.test(name)) ?? [];
  if (advice === undefined) return;
  throw new ConnectionStringError(`has the parameter ${name.replace(/\W/g, '')}, which libpq does not know: ${advice}`);
}

function checkRootCertificate(file: string | undefined, mode: string | undefined): void {
  if (file === 'system' && mode !== undefined && mode !== 'verify-full') {
    throw new ConnectionStringError(`has sslrootcert=system with sslmode=${mode}: write sslmode=verify-full`);
  }
  if (mode === 'verify-ca' && !file) {
    throw new ConnectionStringError(
      'has sslmode=verify-ca without sslrootcert: name the file of the certificate, or write sslmode=verify-full',
    );
  }
}
