import pg from 'pg';

/** Parts of an attempt that are timed one after the other. */
const parts = 15;

/**
 * A client whose attempt to connect, with TLS and authentication, takes `milliseconds` at the most.
 *
 * The time is counted in parts. While the event loop is held up, no more than one of them passes: an answer that has come
 * meanwhile, and only was not read yet, is not taken for silence. node-postgres' own connectionTimeoutMillis does that.
 */
export function boundedClient(milliseconds: number): typeof pg.Client {
  return class extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super(typeof config === 'object' ? { ...config, connectionTimeoutMillis: 0 } : config);
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: Connected): void;
    override connect(callback?: Connected): Promise<pg.Client> | undefined {
      let left = parts;
      let timer: NodeJS.Timeout;
      const count = () => {
        if (left-- > 0) timer = setTimeout(count, milliseconds / parts).unref();
        else (this as unknown as Wired).connection.stream.destroy(new Error('timeout expired'));
      };
      count();
      const stop = () => clearTimeout(timer);
      this.once('connect', stop).once('end', stop);
      if (!callback) return super.connect();
      super.connect(callback);
      return undefined;
    }
  };
}

type Connected = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

interface Wired {
  readonly connection: { readonly stream: { destroy(error: Error): void } };
}
