import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { Listener } from '../../tenancy/listener.ts';
import type { SqlRunner } from '../../tenancy/tenantDatabase.ts';
import type { LiveConnection } from './connection.ts';
import { type Change, readNotification } from './notification.ts';

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
 * The subscription hub: open connections by user and organization, and the delivery of database notifications to them.
 *
 * A connection has four states:
 * - admitted: `admit` adds it to its user's connections and holds the user's listener lock.
 * - joined, if it acts for an organization: `join` adds it to the organization's connections and holds the organization's
 *   listener lock.
 * - open: notifications of its user and its organization go to its feeds. After a gap, the feeds resync. After a reconnect,
 *   the hub checks every session and membership again, because it can have missed the end of one.
 * - left: `leave` removes it and releases the locks.
 */
export class LiveHub {
  delivered = 0;
  readonly #listener: Listener;
  /** Connections by user. Notifications for users without a connection are ignored. */
  readonly #users = new Map<string, Set<LiveConnection>>();
  /** Connections by the organization that they act for. */
  readonly #organizations = new Map<string, Set<LiveConnection>>();
  readonly #requests = new WeakMap<IncomingMessage, LiveConnection>();

  constructor(url: string, database: SqlRunner, log: Logger) {
    this.#listener = new Listener({
      url,
      database,
      log,
      notified: (payload) => this.#notified(payload),
      reconnected: () => void this.#check(this.#all()),
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

  /**
   * Adds an admitted connection to its organization. Call it for members only: waiting for the lock tells whether the
   * organization's rows are being changed.
   *
   * @returns a promise that resolves when the hub receives the organization's notifications.
   */
  async join(connection: LiveConnection): Promise<void> {
    const { organizationId } = connection.user;
    if (organizationId === undefined || !this.#users.get(connection.user.userId)?.has(connection)) return;
    const members = this.#organizations.get(organizationId) ?? new Set();
    this.#organizations.set(organizationId, members.add(connection));
    await this.#listener.hold(organizationId);
  }

  /** Removes an admitted connection. Call it once for each connection. */
  leave(connection: LiveConnection): void {
    const { userId, organizationId } = connection.user;
    remove(this.#users, userId, connection);
    this.#listener.release(userId);
    if (organizationId !== undefined && remove(this.#organizations, organizationId, connection))
      this.#listener.release(organizationId);
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
    if ('user' in notification) deliver(notification, this.#users.get(notification.user));
    else if ('organization' in notification) deliver(notification, this.#organizations.get(notification.organization));
    else if ('sessions' in notification)
      this.#ended(this.#all(), notification.sessions, ({ user }) => user.sessionId, 'ended');
    else if ('formerMembersOf' in notification)
      this.#membersChanged(notification.formerMembersOf, notification.users, 'removed');
    else if ('newRolesIn' in notification) this.#membersChanged(notification.newRolesIn, notification.users, 'newRole');
    else this.#ended(this.#all(), notification.users, ({ user }) => user.userId, 'ended');
  }

  /** @param ids null if there are too many for a notification. */
  /** @param userIds the members; null for too many of them. */
  #membersChanged(organizationId: string, userIds: readonly string[] | null, cause: 'removed' | 'newRole'): void {
    const members = [...(this.#organizations.get(organizationId) ?? [])];
    this.#ended(members, userIds, ({ user }) => user.userId, cause);
  }

  #ended(
    connections: LiveConnection[],
    ids: readonly string[] | null,
    idOf: (connection: LiveConnection) => string | undefined,
    cause: 'ended' | 'removed' | 'newRole',
  ): void {
    // A check finds ended sessions and memberships. It does not find new roles.
    if (!ids && cause !== 'newRole') return void this.#check(connections);
    const ended = ids && new Set(ids);
    for (const connection of connections) {
      const id = idOf(connection);
      if (!ended || (id !== undefined && ended.has(id))) connection.close(cause);
    }
  }

  #gap(concerns: (tenantId: string) => boolean): void {
    for (const { user, feeds } of this.#all()) {
      const { userId, organizationId } = user;
      if (concerns(userId) || (organizationId !== undefined && concerns(organizationId)))
        for (const feed of feeds) feed.resync();
    }
  }

  /** Checks the session and the membership of `unchecked`, because the hub does not know which of them ended. */
  async #check(unchecked: LiveConnection[]): Promise<void> {
    const worker = async () => {
      for (let next = unchecked.pop(); next; next = unchecked.pop()) await next.checkOnceAvailable().catch(() => {});
    };
    await Promise.all(Array.from({ length: concurrentChecks }, worker));
  }
}

/** @returns false if the connection was not there. */
function remove(from: Map<string, Set<LiveConnection>>, key: string, connection: LiveConnection): boolean {
  const connections = from.get(key);
  const removed = connections?.delete(connection) ?? false;
  if (connections?.size === 0) from.delete(key);
  return removed;
}

function deliver({ table, event, ids }: Change, connections: Iterable<LiveConnection> = []): void {
  for (const { feeds } of connections) {
    for (const feed of feeds) {
      if (feed.table !== table) continue;
      if (!ids) feed.resync();
      for (const id of ids ?? []) feed.push(event, id);
    }
  }
}
