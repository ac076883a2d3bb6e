import pg from 'pg';

interface CancelWire {
  connect(port: number, host: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  end(): void;
  on(event: 'error', listener: () => void): void;
  once(event: 'connect' | 'sslconnect' | 'end', listener: () => void): void;
  readonly stream: { destroy(): void };
}
const Wire = pg.Connection as unknown as new (config: { ssl: unknown }) => CancelWire;

/** Milliseconds for a cancel request: a server that is frozen must not collect them. */
const patience = 5000;

interface Running {
  readonly host: string;
  readonly port: number;
  readonly ssl: unknown;
  readonly processID: number | null;
  readonly secretKey: number | null;
}

/**
 * Asks the server to stop what `client` runs, over a connection of its own, as the protocol has it: by process id and
 * secret key, which a pooler translates and pg_cancel_backend() could not. Whether it came in time is not told.
 */
export function requestCancel(client: pg.ClientBase): void {
  const { host, port, ssl, processID, secretKey } = client as unknown as Running;
  if (processID === null || secretKey === null) return;
  const wire = new Wire({ ssl });
  const send = () => {
    wire.cancel(processID, secretKey);
    wire.end();
  };
  const timer = setTimeout(() => wire.stream.destroy(), patience).unref();
  wire.once('end', () => clearTimeout(timer));
  wire.on('error', () => wire.stream.destroy());
  wire.once('connect', () => (ssl ? wire.requestSsl() : send()));
  wire.once('sslconnect', send);
  if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}` as never, undefined as never);
  else wire.connect(port, host);
}
