import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import { PostgresClient } from '../../postgres/client.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { clientOptions } from '../../postgres/connectionString.ts';
import { destroyStream } from '../../postgres/internals/nodePostgres.ts';
import { ListenerLocks, lockOf, type RunQuery } from './listenerLocks.ts';
import type { Database } from './tenantDatabase.ts';

const channel = 'hedgerow_changes';

/** Milliseconds between two attempts to connect: the first pause and the longest. */
const pauses = { first: 100, longest: 5000 };

/** Milliseconds between two heartbeats of the connection. */
const heartbeatInterval = 15_000;

/** Milliseconds until a probe notification must have arrived. */
const probeTime = 5000;

const probePrefix = 'probe ';

export interface ListenerParts {
  /** Connection string of the primary itself. A transaction pooler accepts LISTEN and forwards no notifications. */
  readonly url: string;
  readonly database: Pick<Database, 'inspect'>;
  readonly log: Logger;
  notified(payload: string): void;
  /** Called after a reconnect. Revocations of sessions during the gap were not notified. */
  reconnected(): void;
  /**
   * Called when the listener listens again for some users and organizations. Their changes during the gap were not
   * notified.
   */
  gap(concerns: (tenantId: string) => boolean): void;
}

/**
 * The listener connection, which runs no tenant's SQL.
 *
 * - _closed_, while no subscription holds it.
 * - _connecting_, from the first hold on, and again after each failure, with growing pauses.
 * - _listening_: it passes notifications on, holds the listener locks of its tenants, and sends heartbeats.
 */
export class Listener {
  reconnects = 0;
  readonly #parts: ListenerParts;
  readonly #locks: ListenerLocks;
  #connection: ListenerConnection | undefined;

  constructor(parts: ListenerParts) {
    this.#locks = new ListenerLocks((lock) => parts.gap((tenantId) => lockOf(tenantId) === lock));
    const reconnected = () => {
      this.reconnects++;
      parts.reconnected();
    };
    this.#parts = { ...parts, reconnected };
  }

  /**
   * Opens the connection for the first holder. Resolves once the tenant's changes are notified, without a timeout.
   *
   * @param tenantId the id of a user or an organization.
   */
  hold(tenantId: string): Promise<void> {
    const held = this.#locks.hold(lockOf(tenantId));
    this.#connection ??= new ListenerConnection(this.#parts, this.#locks);
    return held;
  }

  /** Releases one hold. The last release closes the connection, so that an idle server lets its database suspend. */
  release(tenantId: string): void {
    this.#locks.release(lockOf(tenantId));
    if (!this.#locks.empty) return;
    this.#locks.use(undefined);
    this.#connection?.stop();
    this.#connection = undefined;
  }
}

class ListenerConnection {
  readonly #parts: ListenerParts;
  readonly #locks: ListenerLocks;
  readonly #stopping = new AbortController();
  /** Payload of a probe that has not arrived yet; empty without one. */
  #probe = '';

  constructor(parts: ListenerParts, locks: ListenerLocks) {
    this.#parts = parts;
    this.#locks = locks;
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

  /** Listens until the connection ends. @throws the error that ended it. */
  async #listen(begun: () => void): Promise<void> {
    const { url, notified } = this.#parts;
    const client = new PostgresClient({
      ...clientOptions(url),
      application_name: 'hedgerow listener',
      connectionTimeoutMillis: 5000,
    });
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => {});
    client.on('error', ended.reject).on('end', () => ended.reject(new Error('Connection terminated')));
    client.on('notification', ({ payload = '' }) => {
      if (payload === this.#probe) this.#probe = '';
      else if (!payload.startsWith(probePrefix)) notified(payload);
    });
    const stop = () => destroyStream(client);
    this.#stopping.signal.addEventListener('abort', stop);
    let heartbeat: NodeJS.Timeout | undefined;
    try {
      await Promise.race([client.connect(), ended.promise]);
      await Promise.race([client.query(`listen ${channel}`), ended.promise]);
      const runQuery = oneQueryAtATime(client);
      heartbeat = startHeartbeat(runQuery, stop);
      begun();
      this.#locks.use(runQuery);
      void this.#checkNotifications();
      await ended.promise;
    } finally {
      clearInterval(heartbeat);
      if (heartbeat && !this.#stopping.signal.aborted) this.#locks.use(undefined);
      this.#stopping.signal.removeEventListener('abort', stop);
      destroyStream(client);
    }
  }

  /** Sends a notification to test the connection: a transaction pooler accepts LISTEN and forwards no notifications. */
  async #checkNotifications(): Promise<void> {
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
    const advice = 'Set DATABASE_URL_LISTEN to the primary itself, not to a transaction pooler.';
    log.warn({ advice }, 'notifications of the database do not arrive: subscriptions stay silent');
  }
}

function oneQueryAtATime(client: pg.Client): RunQuery {
  let last: Promise<unknown> = Promise.resolve();
  return (query) => {
    const result = last.then(() => client.query(query));
    last = result.catch(() => {});
    return result as never;
  };
}

/** Runs a query at each interval. Calls `stop` if the previous query has no answer by then. */
function startHeartbeat(runQuery: RunQuery, stop: () => void): NodeJS.Timeout {
  let answered = true;
  return setInterval(() => {
    if (!answered) return stop();
    answered = false;
    runQuery({ text: 'select 1' }).then(
      () => {
        answered = true;
      },
      () => {},
    );
  }, heartbeatInterval);
}
