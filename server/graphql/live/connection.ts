import { setTimeout as sleep } from 'node:timers/promises';
import { Cancellation, CancelledError } from '../../../postgres/cancellation.ts';
import { isUnavailable, UnansweredReadError } from '../../../postgres/connectionErrors.ts';
import type { Statement } from '../../../postgres/statement.ts';
import type { HoldsTurn } from '../../http/turn.ts';
import type { Admission, Turn } from '../../tenancy/admission.ts';
import { type IdentifiedClient, IdentityRefusedError, type SqlRunner } from '../../tenancy/tenantDatabase.ts';
import { Feed } from './feed.ts';

/** The user of a socket, from its verified token. */
export type LiveUser = Express.User;

/** How a socket ends. 4401 tells clients not to try again, 4403 to come back with a new token, 1013 to come back. */
export const closing = {
  expired: [4403, 'The token has expired'],
  ended: [4401, 'The session has ended'],
  tooMany: [4429, 'Too many sockets'],
  tooSlow: [4429, 'Events are not read'],
  tooManyMessages: [4429, 'Too many messages'],
  unavailable: [1013, 'Try again shortly'],
  stopping: [1001, 'The server is stopping'],
  failed: [4500, 'Something went wrong on our side'],
} as const;

interface Parts {
  readonly database: SqlRunner;
  readonly admission: Admission;
  /** Seconds that a read has; 10 by default. */
  readonly readTimeout?: number;
}

/** Reads at the same time, which share a deadline, and a transaction where they can. */
interface Reads {
  readonly client: IdentifiedClient;
  running: number;
  /** None of them runs any more. */
  end(): void;
}

/** Longest time of setTimeout, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** A socket whose token was verified. It ends with the token, and with the session. */
export class LiveConnection implements HoldsTurn {
  readonly user: LiveUser;
  /** The latest turn of the user. Charging any of a tenant's turns charges the tenant, also after the turn has ended. */
  turn?: Turn;
  readonly feeds = new Set<Feed>();
  readonly #database: SqlRunner;
  readonly #admission: Admission;
  readonly #readTimeout: number;
  readonly #end: (code: number, reason: string) => void;
  readonly #cancellation = new Cancellation();
  #expiry: NodeJS.Timeout | undefined;
  #back: Promise<boolean> | undefined;

  constructor(
    user: LiveUser,
    { database, admission, readTimeout = 10 }: Parts,
    end: (code: number, reason: string) => void,
  ) {
    this.user = user;
    this.#database = database;
    this.#admission = admission;
    this.#readTimeout = readTimeout;
    this.#end = end;
    this.#endAtExpiry();
  }

  /**
   * SQL as the socket's user, in the user's turn: reads from the primary, which has the rows that events tell of. Reads at the
   * same time have `readTimeout` seconds together from when the first one has its turn. A primary that is frozen would keep
   * their connections and places otherwise. Without an answer they fail with UnansweredReadError.
   */
  client(): IdentifiedClient {
    let reads: Reads | undefined;
    const query = async <Row>(statement: Statement) => {
      reads ??= this.#beginReads();
      const current = reads;
      current.running++;
      try {
        return await current.client.query<Row>(statement);
      } catch (error) {
        const isLate = error instanceof CancelledError && error.reason === 'deadline';
        throw isLate ? new UnansweredReadError('the database did not answer', { cause: error }) : error;
      } finally {
        if (--current.running === 0) {
          current.end();
          reads = undefined;
        }
      }
    };
    const options = { cancellation: this.#cancellation, readOnly: true, replica: false };
    const { transaction } = this.#database.as(this.user.identity, options);
    return { query: (statement) => this.inTurn(() => query(statement)), transaction };
  }

  #beginReads(): Reads {
    const cancellation = new Cancellation();
    cancellation.expireIn(this.#readTimeout);
    const settled = Promise.withResolvers<void>();
    // It gives the reads up with the socket.
    this.#cancellation
      .race(
        () => settled.promise,
        ({ reason }) => cancellation.cancel(reason),
      )
      .catch(() => cancellation.cancel('client gone'));
    const client = this.#database.as(this.user.identity, { cancellation, readOnly: true, replica: false });
    const end = () => {
      cancellation.end();
      settled.resolve();
    };
    return { client, running: 0, end };
  }

  /** Runs `work` when it is the user's turn. Subscriptions are bounded in number, so none is refused. */
  inTurn<T>(work: (turn: Turn) => Promise<T> | T): Promise<T> {
    return this.#admission.run(this.user.userId, { cancellation: this.#cancellation, always: true }, (turn) => {
      this.turn = turn;
      return work(turn);
    });
  }

  /** The changes of `table` that this connection shall be told from now on. */
  open(table: string): Feed {
    const feed = new Feed(
      table,
      () => this.checkOnceAvailable(),
      (closed) => this.feeds.delete(closed),
    );
    this.feeds.add(feed);
    return feed;
  }

  /** Ends the socket where its session does not live any more. @throws also what the connection reports. */
  async check(): Promise<void> {
    try {
      await this.client().query({ name: 'hedgerow_living', text: 'select 1', discard: true });
    } catch (error) {
      if (error instanceof IdentityRefusedError) this.close('ended');
      throw error;
    }
  }

  /** check(), for as long as the database is away. */
  async checkOnceAvailable(): Promise<void> {
    for (;;) {
      try {
        return await this.check();
      } catch (error) {
        if (!isUnavailable(error)) throw error;
      }
      await sleep(500 + Math.random() * 1000);
    }
  }

  /**
   * Waits for the database. Resolves with whether the subscriptions go on: the session lives, and the socket is open.
   * If the database answers and cannot say, the socket is closed so that its client comes back. All subscriptions of the
   * socket wait for one check.
   */
  isBack(): Promise<boolean> {
    this.#back ??= this.#waitUntilBack().finally(() => {
      this.#back = undefined;
    });
    return this.#back;
  }

  async #waitUntilBack(): Promise<boolean> {
    try {
      await this.checkOnceAvailable();
      return true;
    } catch (error) {
      if (!(error instanceof IdentityRefusedError || error instanceof CancelledError)) this.close('unavailable');
      return false;
    }
  }

  close(why: keyof typeof closing): void {
    const [code, reason] = closing[why];
    this.#end(code, reason);
  }

  /** The socket has closed. */
  dispose(): void {
    clearTimeout(this.#expiry);
    this.#cancellation.cancel('client gone');
    for (const feed of this.feeds) void feed.return();
  }

  #endAtExpiry(): void {
    const left = this.user.expires - Date.now();
    if (left <= 0) this.close('expired');
    else this.#expiry = setTimeout(() => this.#endAtExpiry(), Math.min(left, longestTimer));
  }
}
