import pg from 'pg';

// Undocumented fields, events and exports of `pg` and `pg-protocol`. No other file outside this folder uses them.
// Hot paths call these functions: they read one field and allocate nothing. package.json pins the exact versions, and
// test/postgres/internals.test.ts fails on any other version and when one of these parts changes.
// docs/adr/0060-channel-binding-and-sslmode.md explains the authentication events.

/** Builds the messages of the frontend/backend protocol. */
export { serialize } from 'pg-protocol';

/** The parts of a socket that are used here. */
export interface ProtocolStream {
  readonly destroyed: boolean;
  readonly writable: boolean;
  write(message: Buffer): void;
  destroy(error?: Error): void;
  on(event: 'data', listener: (chunk: Buffer) => void): void;
  off(event: 'data', listener: (chunk: Buffer) => void): void;
}

/** node-postgres' `Connection`: one socket and the protocol on it. It is also the key of per-connection state. */
export interface ProtocolConnection {
  readonly stream: ProtocolStream;
  on(event: 'readyForQuery' | 'end', listener: () => void): this;
  off(event: 'readyForQuery' | 'end', listener: () => void): this;
}

interface ClientFields {
  readonly connection: ProtocolConnection;
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly _queryable: boolean;
  readonly readyForQuery: boolean;
  readonly ssl: unknown;
}

const fieldsOf = (client: pg.ClientBase) => client as unknown as ClientFields;

export function connectionOf(client: pg.ClientBase): ProtocolConnection {
  return fieldsOf(client).connection;
}

/** The socket of a client. TLS replaces it, so do not keep it from before the connection is established. */
export function streamOf(client: pg.ClientBase): ProtocolStream {
  return fieldsOf(client).connection.stream;
}

/** Closes the socket at once. `end()` would wait for the server, which a dead connection never answers. */
export function destroyStream(client: pg.ClientBase, error?: Error): void {
  fieldsOf(client).connection.stream.destroy(error);
}

/** The backend's process id as the server announced it; a pooler announces one of its own. `null` before that. */
export function processIdOf(client: pg.ClientBase): number | null {
  return fieldsOf(client).processID;
}

/** The secret key that authorizes a cancel request for the session; `null` before the server has announced it. */
export function secretKeyOf(client: pg.ClientBase): number | null {
  return fieldsOf(client).secretKey;
}

/** The TLS options of a client; `false` without TLS. */
export function tlsOptionsOf(client: pg.ClientBase): unknown {
  return fieldsOf(client).ssl;
}

/** Whether the client still accepts queries: no error has ended its connection. */
export function isQueryable(client: pg.ClientBase): boolean {
  return fieldsOf(client)._queryable;
}

/** Whether the server has reported ReadyForQuery since the last query was sent. */
export function isReadyForQuery(client: pg.ClientBase): boolean {
  return fieldsOf(client).readyForQuery;
}

/** Listeners for the authentication messages of the server. */
export interface AuthenticationListeners {
  /** The server offers SASL, with the names of its mechanisms. */
  saslOffered(mechanisms: readonly string[]): void;
  /** The server has sent its SCRAM signature. */
  saslFinal(): void;
  /** The server asks for the password in clear text or as an MD5 hash. */
  passwordRequested(): void;
  authenticated(): void;
}

/** Adds listeners that run before those of node-postgres, if it is called before `connect()`. */
export function onAuthentication(client: pg.ClientBase, listeners: AuthenticationListeners): void {
  const connection = connectionOf(client) as unknown as NodeJS.EventEmitter;
  connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: readonly string[] }) =>
    listeners.saslOffered(mechanisms),
  );
  connection.on('authenticationSASLFinal', () => listeners.saslFinal());
  connection.on('authenticationCleartextPassword', () => listeners.passwordRequested());
  connection.on('authenticationMD5Password', () => listeners.passwordRequested());
  connection.on('authenticationOk', () => listeners.authenticated());
}

const { utils } = pg as unknown as { utils: { prepareValue(value: unknown): Buffer | string | null } };

/** Converts a bound value to its wire form, as node-postgres does for its own queries. @throws for some values. */
export const prepareValue = utils.prepareValue;
