import { setTimeout as sleep } from 'node:timers/promises';
import { Cancellation, CancelledError } from '../../../postgres/cancellation.ts';
import { isUnavailable, UnansweredReadError } from '../../../postgres/connectionErrors.ts';
import type { Statement } from '../../../postgres/statement.ts';
import type { HoldsTurn } from '../../http/turn.ts';
import type { Admission, Turn } from '../../tenancy/admission.ts';
import { IdentityRefusedError, MembershipRefusedError } from '../../tenancy/identity.ts';
import type { IdentifiedClient, SqlRunner } from '../../tenancy/tenantDatabase.ts';
import { Feed } from './feed.ts';

/** The user of a socket, from its verified token. With `organizationId`, the user acts for that organization. */
export type LiveUser = Express.User;

/** WebSocket close codes. 4401 tells clients not to reconnect, 4403 to reconnect with a new token, 1013 to reconnect. */
export const closing = {
  expired: [4403, 'The token has expired'],
  ended: [4401, 'The session has ended'],
  removed: [4401, 'The membership has ended'],
  newRole: [1013, 'The role has changed'],
  tooMany: [4429, 'Too many sockets'],
  tooSlow: [4429, 'The client does not read its events'],
  tooManyMessages: [4429, 'Too many messages'],
  unavailable: [1013, 'Try again shortly'],
  stopping: [1001, 'The server is stopping'],
  failed: [4500, 'Something went wrong on our side'],
} as const;

interface Parts {
  readonly database: SqlRunner;
  readonly admission: Admission;
  /** The time limit of a read, in seconds; 10 by default. */
  readonly readTimeout?: number;
}

/** Concurrent reads. They share a deadline and, if possible, a transaction. */
interface Reads {
  readonly client: IdentifiedClient;
  running: number;
  /** Releases the deadline. Call it when no read is running. */
  end(): void;
}

/** The maximum delay of setTimeout, in milliseconds. */
const maxDelay = 2 ** 31 - 1;

/**
 * A socket with a verified token.
 *
 * - It is open until its token expires, its session or membership ends, the database fails to confirm them, or the client leaves.
 * - While the database is unavailable, it stays open. `isBack` waits for the database and checks the session.
 * - `dispose` cancels its reads and ends its feeds, once the socket has closed.
 */
export class LiveConnection implements HoldsTurn {
  readonly user: LiveUser;
  /** The latest turn of the user. Charging it charges the tenant, even after the turn has ended. */
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
   * Returns a client that runs SQL as the socket's user, in the user's turn. It reads from the primary, because a replica may
   * not have the rows of the events yet. Concurrent reads share a limit of `readTimeout` seconds, which starts with the turn of
   * the first. Without the limit, a frozen primary would keep their connections and turns. Late reads throw
   * UnansweredReadError.
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
    // Cancel the reads when the socket closes.
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

  /** Runs `work` in the user's turn. Admission refuses none, because the number of subscriptions is limited. */
  inTurn<T>(work: (turn: Turn) => Promise<T> | T): Promise<T> {
    return this.#admission.run(this.user.userId, { cancellation: this.#cancellation, always: true }, (turn) => {
      this.turn = turn;
      return work(turn);
    });
  }

  /** Opens a feed with the later changes of `table`. */
  open(table: string): Feed {
    const feed = new Feed(
      table,
      () => this.checkOnceAvailable(),
      (closed) => this.feeds.delete(closed),
    );
    this.feeds.add(feed);
    return feed;
  }

  /**
   * Checks the session and the membership.
   *
   * @throws IdentityRefusedError when one of them has ended; any error of the database connection.
   */
  async check(): Promise<void> {
    await this.client().query({ name: 'hedgerow_living', text: 'select 1', discard: true });
  }

  /** Runs `check` again until the database is available. Closes the socket if its session or membership has ended. */
  async checkOnceAvailable(): Promise<void> {
    for (;;) {
      try {
        return await this.check();
      } catch (error) {
        if (error instanceof IdentityRefusedError) this.closeRefused(error);
        if (!isUnavailable(error)) throw error;
      }
      await sleep(500 + Math.random() * 1000);
    }
  }

  /**
   * Waits for the database. Resolves with true if the session is active and the socket is open, so that subscriptions
   * continue. If the check fails for another reason, the socket closes and its client reconnects. All subscriptions of the
   * socket wait for the same check.
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

  /** Closes the socket, whose session or membership has ended. */
  closeRefused(error: IdentityRefusedError): void {
    this.close(error instanceof MembershipRefusedError ? 'removed' : 'ended');
  }

  close(cause: keyof typeof closing): void {
    const [code, reason] = closing[cause];
    this.#end(code, reason);
  }

  /** Releases everything after the socket has closed. */
  dispose(): void {
    clearTimeout(this.#expiry);
    this.#cancellation.cancel('client gone');
    for (const feed of this.feeds) void feed.return();
  }

  #endAtExpiry(): void {
    const left = this.user.expires - Date.now();
    if (left <= 0) this.close('expired');
    else this.#expiry = setTimeout(() => this.#endAtExpiry(), Math.min(left, maxDelay));
  }
}
