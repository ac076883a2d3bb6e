import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { Listener } from '../../tenancy/listener.ts';
import type { SqlRunner } from '../../tenancy/tenantDatabase.ts';
import type { LiveConnection } from './connection.ts';
import { readNotification } from './notification.ts';

/** Open sockets of one user, at most. */
const socketsPerUser = 10;

/** Concurrent session checks. The limit leaves database connections for requests. */
const concurrentChecks = 2;

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
  /** Connections by user. Notifications for users without a connection are ignored. */
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

  /**
   * Adds a connection. Returns `undefined` if its user has too many.
   *
   * @returns a promise that resolves when the hub receives the user's notifications.
   */
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

  /** Returns the connection whose socket opened with `request`. */
  connectionOf(request: IncomingMessage): LiveConnection | undefined {
    return this.#requests.get(request);
  }

  #all(): LiveConnection[] {
    return [...this.#users.values()].flatMap((own) => [...own]);
  }

  #notified(payload: string): void {
    const notification = readNotification(payload);
    if (!notification) return;
    if ('user' in notification) {
      for (const { feeds } of this.#users.get(notification.user) ?? []) {
        for (const feed of feeds) {
          if (feed.table !== notification.table) continue;
          if (!notification.ids) feed.resync();
          for (const id of notification.ids ?? []) feed.push(notification.event, id);
        }
      }
    } else if ('sessions' in notification) this.#ended(notification.sessions, ({ user }) => user.sessionId);
    else this.#ended(notification.users, ({ user }) => user.userId);
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
    const unchecked = this.#all();
    const worker = async () => {
      for (let next = unchecked.pop(); next; next = unchecked.pop()) await next.checkOnceAvailable().catch(() => {});
    };
    await Promise.all(Array.from({ length: concurrentChecks }, worker));
  }
}
