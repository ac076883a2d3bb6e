import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import { PostgresClient } from '../../postgres/client.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { clientOptions } from '../../postgres/connectionString.ts';
import { type Ask, ListenerLocks, lockOf } from './listenerLocks.ts';
import type { Database } from './tenantDatabase.ts';

const channel = 'hedgerow_changes';

/** Milliseconds between two attempts to connect, at first and at the most. */
const pauses = { first: 100, longest: 5000 };

/** Milliseconds: how often the connection is asked whether it still lives, and how long a probe may be under way. */
const beat = 15_000;
const probeTime = 5000;

const probePrefix = 'probe ';

export interface ListenerParts {
  /** Directly to the primary: a transaction pooler takes LISTEN, and passes nothing on. */
  readonly url: string;
  readonly database: Pick<Database, 'inspect'>;
  readonly log: Logger;
  notified(payload: string): void;
  /** It listens again, and ends of sessions in between were not heard. */
  reconnected(): void;
  /** It listens again for this user, and changes in between were not heard. */
  gap(concerns: (userId: string) => boolean): void;
}

/** One connection that listens while somebody holds it, and runs no tenant's SQL. Whatever ends it, it comes back. */
export class Listener {
  reconnects = 0;
  readonly #parts: ListenerParts;
  readonly #attention: ListenerLocks;
  #ear: ListenerConnection | undefined;

  constructor(parts: ListenerParts) {
    this.#attention = new ListenerLocks((lock) => parts.gap((userId) => lockOf(userId) === lock));
    const reconnected = () => {
      this.reconnects++;
      parts.reconnected();
    };
    this.#parts = { ...parts, reconnected };
  }

  /** Opens the connection for the first holder. Resolves once the user's changes are heard, however long that takes. */
  hold(userId: string): Promise<void> {
    const held = this.#attention.hold(lockOf(userId));
    this.#ear ??= new ListenerConnection(this.#parts, this.#attention);
    return held;
  }

  /** The last holder's release closes the connection: an idle server keeps no database awake. */
  release(userId: string): void {
    this.#attention.release(lockOf(userId));
    if (!this.#attention.empty) return;
    this.#attention.use(undefined);
    this.#ear?.stop();
    this.#ear = undefined;
  }
}

class ListenerConnection {
  readonly #parts: ListenerParts;
  readonly #attention: ListenerLocks;
  readonly #stopping = new AbortController();
  #probe = '';

  constructor(parts: ListenerParts, attention: ListenerLocks) {
    this.#parts = parts;
    this.#attention = attention;
    void this.#run();
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    const { log, reconnected } = this.#parts;
    const { signal } = this.#stopping;
    let connections = 0;
    for (let pause = pauses.first; !signal.aborted; pause = Math.min(pause * 2, pauses.longest)) {
      try {
        await this.#listen(() => {
          pause = pauses.first;
          if (++connections > 1) {
            log.info('listening for changes again');
            reconnected();
          }
        });
      } catch (error) {
        if (signal.aborted) return;
        const { cause, advice } = connectionFault(error) ?? {};
        log.warn({ err: error, cause, advice }, 'the connection that listens for changes failed');
      }
      await sleep(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
    }
  }

  /** Listens until the connection ends. @throws what ended it. */
  async #listen(begun: () => void): Promise<void> {
    const { url, notified } = this.#parts;
    const client = new PostgresClient({
      ...clientOptions(url),
      ...{ application_name: 'hedgerow listener', connectionTimeoutMillis: 5000 },
    });
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => {});
    client.on('error', ended.reject).on('end', () => ended.reject(new Error('Connection terminated')));
    client.on('notification', ({ payload = '' }) => {
      if (payload === this.#probe) this.#probe = '';
      else if (!payload.startsWith(probePrefix)) notified(payload);
    });
    const stop = () => destroy(client);
    this.#stopping.signal.addEventListener('abort', stop);
    let heart: NodeJS.Timeout | undefined;
    try {
      await Promise.race([client.connect(), ended.promise]);
      await Promise.race([client.query(`listen ${channel}`), ended.promise]);
      const ask = inTurn(client);
      heart = watch(ask, () => destroy(client));
      begun();
      this.#attention.use(ask);
      void this.#checkThatItHears();
      await ended.promise;
    } finally {
      clearInterval(heart);
      if (heart && !this.#stopping.signal.aborted) this.#attention.use(undefined);
      this.#stopping.signal.removeEventListener('abort', stop);
      destroy(client);
    }
  }

  /** A transaction pooler accepts LISTEN and never passes a notification on: the one way to know is to send one. */
  async #checkThatItHears(): Promise<void> {
    const { database, log } = this.#parts;
    const probe = `${probePrefix}${randomUUID()}`;
    this.#probe = probe;
    try {
      await database.inspect({ text: 'select pg_notify($1, $2)', values: [channel, probe] });
      await sleep(probeTime, undefined, { signal: this.#stopping.signal });
    } catch {
      return;
    }
    if (this.#probe !== probe) return;
    const advice = 'Set DATABASE_URL_LISTEN to a connection straight to the primary, past any transaction pooler.';
    log.warn({ advice }, 'notifications of the database do not arrive: subscriptions stay silent');
  }
}

function inTurn(client: pg.Client): Ask {
  let last: Promise<unknown> = Promise.resolve();
  return (question) => {
    const answer = last.then(() => client.query(question));
    last = answer.catch(() => {});
    return answer as never;
  };
}

/** Asks at each beat whether the other end still lives; one that has not answered by the next is given up. */
function watch(ask: Ask, dead: () => void): NodeJS.Timeout {
  let answered = true;
  return setInterval(() => {
    if (!answered) return dead();
    answered = false;
    ask({ text: 'select 1' }).then(
      () => {
        answered = true;
      },
      () => {},
    );
  }, beat);
}

/** Without the goodbye that end() waits for, which a dead connection never gives. */
function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
