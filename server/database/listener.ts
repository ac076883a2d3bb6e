import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { connectionFault } from './connectionErrors.ts';
import { clientOptions } from './connectionString.ts';
import type { Database } from './database.ts';

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
  readonly database: Database;
  readonly log: Logger;
  notified(payload: string): void;
  /** It listens again, and whatever happened in between was not heard. */
  gap(): void;
}

/** One connection that listens while somebody holds it, and runs no tenant's SQL. Whatever ends it, it comes back. */
export class Listener {
  reconnects = 0;
  readonly #parts: ListenerParts;
  #holders = 0;
  #ear: Ear | undefined;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  /** Opens the connection for the first holder. Resolves once it listens, however long the database is away. */
  hold(): Promise<void> {
    this.#holders++;
    this.#ear ??= new Ear(this.#parts, () => this.reconnects++);
    return this.#ear.listening;
  }

  /** The last holder's release closes the connection: an idle server keeps no database awake. */
  release(): void {
    if (--this.#holders > 0) return;
    this.#ear?.stop();
    this.#ear = undefined;
  }
}

class Ear {
  readonly #parts: ListenerParts;
  readonly #first = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  #probe = '';

  constructor(parts: ListenerParts, reconnected: () => void) {
    this.#parts = parts;
    void this.#run(reconnected);
  }

  get listening(): Promise<void> {
    return this.#first.promise;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(reconnected: () => void): Promise<void> {
    const { log, gap } = this.#parts;
    const { signal } = this.#stopping;
    let connections = 0;
    for (let pause = pauses.first; !signal.aborted; pause = Math.min(pause * 2, pauses.longest)) {
      try {
        await this.#listen(() => {
          pause = pauses.first;
          if (++connections > 1) {
            reconnected();
            log.info('listening for changes again');
            gap();
          }
          this.#first.resolve();
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
    const client = new pg.Client({
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
      heart = watch(client);
      begun();
      void this.#checkThatItHears();
      await ended.promise;
    } finally {
      clearInterval(heart);
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

/** Asks at each beat whether the other end still lives; one that has not answered by the next is given up. */
function watch(client: pg.Client): NodeJS.Timeout {
  let answered = true;
  return setInterval(() => {
    if (!answered) return destroy(client);
    answered = false;
    client.query('select 1').then(
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
