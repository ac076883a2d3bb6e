import type pg from 'pg';
import { PostgresClient } from './client.ts';
import { destroyStream } from './internals/nodePostgres.ts';

/** Consecutive timers that divide the timeout of an attempt. */
const parts = 15;

type Config = ConstructorParameters<typeof PostgresClient>[0];

/**
 * A client class whose attempt to connect, with TLS and authentication, takes at most `milliseconds`.
 *
 * The timeout is divided into parts. While the event loop is blocked, at most one part passes. So an answer that arrived
 * during the block still counts. With node-postgres' own connectionTimeoutMillis it would count as a timeout.
 */
export function boundedClient(milliseconds: number): typeof PostgresClient {
  return class extends PostgresClient {
    constructor(config?: Config) {
      // This timeout covers work before the connection, such as asking whether the server offers TLS.
      super(config && { ...config, connectionTimeoutMillis: 4 * milliseconds });
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      if (!callback) {
        return new Promise((resolve, reject) => {
          this.connect((error) => (error ? reject(error) : resolve(this)));
        });
      }
      let left = parts;
      let timer: NodeJS.Timeout | undefined;
      let settled = false;
      const settle = (error: Error) => {
        clearTimeout(timer);
        if (settled) return;
        settled = true;
        callback(error);
      };
      const count = () => {
        timer = setTimeout(left-- > 0 ? count : expire, milliseconds / parts).unref();
      };
      const expire = () => {
        const error = new Error('timeout expired');
        destroyStream(this, error);
        settle(error);
      };
      count();
      super.connect(settle);
      return undefined;
    }
  };
}
