import pg from 'pg';
import { processIdOf, secretKeyOf, tlsOptionsOf } from './nodePostgres.ts';

/** node-postgres' `Connection`, with the undocumented methods that send a cancel request. */
interface CancelConnection {
  connect(port: number, host: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  end(): void;
  on(event: 'error', listener: () => void): void;
  once(event: 'connect' | 'sslconnect' | 'end', listener: () => void): void;
  readonly stream: { destroy(): void };
}
const Connection = pg.Connection as unknown as new (config: { ssl: unknown }) => CancelConnection;

/** Milliseconds for a cancel request. Without a limit, requests to a frozen server would pile up. */
const timeout = 5000;

/**
 * Asks the server to cancel the running statement of `client`, over a separate connection. The protocol identifies the
 * session by process id and secret key. A pooler translates these, which pg_cancel_backend() would not allow. The server
 * does not report whether the request arrived in time.
 */
export function requestCancel(client: pg.ClientBase): void {
  const { host, port } = client as pg.Client;
  const ssl = tlsOptionsOf(client);
  const processId = processIdOf(client);
  const secretKey = secretKeyOf(client);
  if (processId === null || secretKey === null) return;
  const connection = new Connection({ ssl });
  const send = () => {
    connection.cancel(processId, secretKey);
    connection.end();
  };
  const timer = setTimeout(() => connection.stream.destroy(), timeout).unref();
  connection.once('end', () => clearTimeout(timer));
  connection.on('error', () => connection.stream.destroy());
  connection.once('connect', () => (ssl ? connection.requestSsl() : send()));
  connection.once('sslconnect', send);
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}` as never, undefined as never);
  else connection.connect(port, host);
}
