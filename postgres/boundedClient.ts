import type pg from 'pg';
import { PostgresClient } from './client.ts';

/** Parts of an attempt that are timed one after the other. */
const parts = 15;

type Config = ConstructorParameters<typeof PostgresClient>[0];

/**
 * A client whose attempt to connect, with TLS and authentication, takes `milliseconds` at the most.
 *
 * The time is counted in parts. While the event loop is held up, no more than one of them passes: an answer that has come
 * meanwhile, and only was not read yet, is not taken for silence, as it is by node-postgres' own connectionTimeoutMillis.
 */
export function boundedClient(milliseconds: number): typeof PostgresClient {
  return class extends PostgresClient {
    constructor(config?: Config) {
      // Work before the connection, such as the request for TLS, has a timeout of its own.
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
        this.connection.stream.destroy(error);
        settle(error);
      };
      count();
      super.connect(settle);
      return undefined;
    }
  };
}
