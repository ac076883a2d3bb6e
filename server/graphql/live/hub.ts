import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { Listener } from '../../tenancy/listener.ts';
import type { SqlRunner } from '../../tenancy/tenantDatabase.ts';
import type { LiveConnection } from './connection.ts';
import { readNotification } from './notification.ts';

/** Sockets that one user may have open at a time. */
const socketsPerUser = 10;

/** Concurrent session checks. The limit leaves database connections for requests. */
const checksAtATime = 2;

/** Counters for the metrics. */
export interface LiveCounts {
  readonly sockets: number;
  readonly subscriptions: number;
  readonly delivered: number;
  readonly reconnects: number;
}

/**
 * The subscription hub: open connections by user, and the delivery of database notifications to them.
 *
 * A connection has three states:
 * - admitted: `admit` adds it to its user's connections and holds the user's listener lock.
 * - open: notifications of its user go to its feeds. After a gap, the feeds resync. After a reconnect, the hub checks
 *   every session again, because it can have missed the end of one.
 * - left: `leave` removes it and releases the lock.
 */
export class LiveHub {
  delivered = 0;
  readonly #listener: Listener;
  /** By user: a notification of somebody else finds nobody here, and is not even looked at. */
  readonly #users = new Map<string, Set<LiveConnection>>();
  readonly #requests = new WeakMap<IncomingMessage, LiveConnection>();

  constructor(url: string, database: SqlRunner, log: Logger) {
    this.#listener = new Listener({
      url,
      database,
      log,
      notified: (payload) => this.#notified(payload),
      reconnected: () => void this.#checkAll(),
      gap: (concerns) => this.#gap(concerns),
    });
  }

  get counts(): LiveCounts {
    const connections = this.#all();
    return {
      sockets: connections.length,
      subscriptions: connections.reduce((sum, { feeds }) => sum + feeds.size, 0),
      delivered: this.delivered,
      reconnects: this.#listener.reconnects,
    };
  }

  /** Adds a connection; undefined where its user has too many. Resolves once the user's changes are heard. */
  admit(request: IncomingMessage, connection: LiveConnection): Promise<void> | undefined {
    const { userId } = connection.user;
    const own = this.#users.get(userId) ?? new Set();
    if (own.size >= socketsPerUser) return undefined;
    this.#users.set(userId, own.add(connection));
    this.#requests.set(request, connection);
    return this.#listener.hold(userId);
  }

  /** Removes an admitted connection. Call it once for each connection. */
  leave(connection: LiveConnection): void {
    const { userId } = connection.user;
    const own = this.#users.get(userId);
    own?.delete(connection);
    if (own?.size === 0) this.#users.delete(userId);
    this.#listener.release(userId);
  }

  /** The connection whose socket began with `request`. */
  connectionOf(request: IncomingMessage): LiveConnection | undefined {
    return this.#requests.get(request);
  }

  #all(): LiveConnection[] {
    return [...this.#users.values()].flatMap((own) => [...own]);
  }

  #notified(payload: string): void {
    const news = readNotification(payload);
    if (!news) return;
    if ('user' in news) {
      for (const { feeds } of this.#users.get(news.user) ?? []) {
        for (const feed of feeds) {
          if (feed.table !== news.table) continue;
          if (!news.ids) feed.resync();
          for (const id of news.ids ?? []) feed.push(news.event, id);
        }
      }
    } else if ('sessions' in news) this.#ended(news.sessions, ({ user }) => user.sessionId);
    else this.#ended(news.users, ({ user }) => user.userId);
  }

  #ended(ids: readonly string[] | null, idOf: (connection: LiveConnection) => string | undefined): void {
    if (!ids) return void this.#checkAll();
    const ended = new Set(ids);
    for (const connection of this.#all()) {
      const id = idOf(connection);
      if (id !== undefined && ended.has(id)) connection.close('ended');
    }
  }

  #gap(concerns: (userId: string) => boolean): void {
    for (const { user, feeds } of this.#all()) if (concerns(user.userId)) for (const feed of feeds) feed.resync();
  }

  /** Checks the session of every connection, because the hub does not know which sessions ended. */
  async #checkAll(): Promise<void> {
    const left = this.#all();
    const lane = async () => {
      for (let next = left.pop(); next; next = left.pop()) await next.checkOnceAvailable().catch(() => {});
    };
    await Promise.all(Array.from({ length: checksAtATime }, lane));
  }
}
