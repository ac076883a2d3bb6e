import { TLSSocket } from 'node:tls';
import pg from 'pg';
import { disableTls, offersTls } from './internals/tlsFallback.ts';

/** node-postgres' options, and those of `PostgresClient`. */
export interface PostgresClientConfig extends pg.ClientConfig {
  /** The class that a pool with these options makes its clients of. */
  readonly Client: typeof PostgresClient;
  /** Connect without TLS to a server that does not offer it: `sslmode=prefer`. */
  readonly tlsFallback: boolean;
}

/** The server did not prove by the TLS channel that it knows the password. */
export class ChannelBindingError extends Error {
  constructor(reason: string) {
    super(`channel_binding=require: ${reason}. No password was sent.`);
  }
}

const bindingMechanism = 'SCRAM-SHA-256-PLUS';

/**
 * A node-postgres client that keeps the promises of `channel_binding=require` and `sslmode=prefer`. node-postgres uses
 * channel binding if the server offers it, and connects to a server that does not.
 *
 * With `enableChannelBinding` a connection goes through these states, and anything else ends it:
 * TLS established → SCRAM-SHA-256-PLUS offered → server's signature received → authenticated.
 */
export class PostgresClient extends pg.Client {
  readonly #tlsFallback: boolean;
  /** Milliseconds for asking whether the server offers TLS. */
  readonly #timeout: number;
  #state: 'new' | 'offered' | 'signed' = 'new';
  #refusal: ChannelBindingError | undefined;

  constructor(config?: Omit<PostgresClientConfig, 'Client'>) {
    super(config);
    this.#tlsFallback = config?.tlsFallback ?? false;
    this.#timeout = config?.connectionTimeoutMillis ?? 30_000;
    if (config?.enableChannelBinding) this.#demandChannelBinding();
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
    if (!callback) {
      return new Promise((resolve, reject) => {
        this.connect((error) => (error ? reject(error) : resolve(this)));
      });
    }
    // A refused server may have said already that it is ready for queries.
    const done = (error: Error) => callback(this.#refusal ?? error);
    if (!this.#tlsFallback) super.connect(done);
    else this.#chooseTls().then(() => super.connect(done), callback);
    return undefined;
  }

  async #chooseTls(): Promise<void> {
    if (!(await offersTls(this.host, this.port, this.#timeout))) disableTls(this);
    // A pool whose time to connect is up destroys the stream, which would connect again.
    if (this.connection.stream.destroyed) throw new Error('Connection terminated due to connection timeout');
  }

  /** Listens before node-postgres does, so that no password is sent to a server that is refused. */
  #demandChannelBinding(): void {
    const { connection } = this;
    const refuse = (reason: string) => {
      this.#refusal ??= new ChannelBindingError(reason);
      connection.stream.destroy();
    };
    connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: readonly string[] }) => {
      if (!(connection.stream instanceof TLSSocket)) refuse('the connection is not encrypted');
      else if (!mechanisms.includes(bindingMechanism)) refuse(`the server does not offer ${bindingMechanism}`);
      else this.#state = 'offered';
    });
    connection.on('authenticationSASLFinal', () => {
      if (this.#state === 'offered') this.#state = 'signed';
    });
    for (const message of ['authenticationCleartextPassword', 'authenticationMD5Password']) {
      connection.on(message, () => refuse('the server asks for the password without channel binding'));
    }
    connection.on('authenticationOk', () => {
      if (this.#state !== 'signed') refuse('the server let the client in without channel binding');
    });
  }
}
