import { TLSSocket } from 'node:tls';
import pg from 'pg';
import { destroyStream, onAuthentication, streamOf } from './internals/nodePostgres.ts';
import { disableTls, offersTls } from './internals/tlsFallback.ts';

/** node-postgres' options, and those of `PostgresClient`. */
export interface PostgresClientConfig extends pg.ClientConfig {
  /** The client class of a pool with these options. */
  readonly Client: typeof PostgresClient;
  /** Connects without TLS to a server that does not offer it: `sslmode=prefer`. */
  readonly tlsFallback: boolean;
}

/** The server did not prove through channel binding that it knows the password. */
export class ChannelBindingError extends Error {
  constructor(reason: string) {
    super(`channel_binding=require: ${reason}. No password was sent.`);
  }
}

const bindingMechanism = 'SCRAM-SHA-256-PLUS';

/**
 * A node-postgres client that implements `channel_binding=require` and `sslmode=prefer` as libpq does. node-postgres
 * alone uses channel binding if the server offers it, and also connects to a server that does not.
 *
 * With `enableChannelBinding` a connection goes through these states. Any other order closes it:
 * TLS established → SCRAM-SHA-256-PLUS offered → server's signature received → authenticated.
 */
export class PostgresClient extends pg.Client {
  readonly #tlsFallback: boolean;
  /** Milliseconds to ask whether the server offers TLS. */
  readonly #timeout: number;
  #state: 'new' | 'offered' | 'signed' = 'new';
  #refusal: ChannelBindingError | undefined;

  constructor(config?: Omit<PostgresClientConfig, 'Client'>) {
    super(config);
    this.#tlsFallback = config?.tlsFallback ?? false;
    this.#timeout = config?.connectionTimeoutMillis ?? 30_000;
    if (config?.enableChannelBinding) this.#requireChannelBinding();
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
    if (!callback) {
      return new Promise((resolve, reject) => {
        this.connect((error) => (error ? reject(error) : resolve(this)));
      });
    }
    // A server that this client refuses may already have reported that it is ready for queries.
    const done = (error: Error) => callback(this.#refusal ?? error);
    if (!this.#tlsFallback) super.connect(done);
    else this.#chooseTls().then(() => super.connect(done), callback);
    return undefined;
  }

  async #chooseTls(): Promise<void> {
    if (!(await offersTls(this.host, this.port, this.#timeout))) disableTls(this);
    // A pool destroys the stream when its timeout passes. Without this check the stream would connect again.
    if (streamOf(this).destroyed) throw new Error('Connection terminated due to connection timeout');
  }

  /** Listens before node-postgres does, so that a server without channel binding never receives the password. */
  #requireChannelBinding(): void {
    const refuse = (reason: string) => {
      this.#refusal ??= new ChannelBindingError(reason);
      destroyStream(this);
    };
    onAuthentication(this, {
      saslOffered: (mechanisms) => {
        if (!(streamOf(this) instanceof TLSSocket)) refuse('the connection is not encrypted');
        else if (!mechanisms.includes(bindingMechanism)) refuse(`the server does not offer ${bindingMechanism}`);
        else this.#state = 'offered';
      },
      saslFinal: () => {
        if (this.#state === 'offered') this.#state = 'signed';
      },
      passwordRequested: () => refuse('the server asks for the password without channel binding'),
      authenticated: () => {
        if (this.#state !== 'signed') refuse('the server let the client in without channel binding');
      },
    });
  }
}
