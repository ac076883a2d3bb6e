import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

export interface Message {
  readonly type: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shape depends on the document
  readonly payload?: any;
}

const protocol = 'graphql-transport-ws';

/**
 * A websocket client for graphql-transport-ws without a library, so that a test sees every message.
 *
 * `heard` collects all messages in order; `next` returns each of them once.
 */
export class Socket {
  readonly raw: WebSocket;
  /** All received messages. */
  readonly heard: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #read = 0;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.raw = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, protocol, { headers });
    this.raw.on('error', () => {});
    this.raw.on('message', (data) => this.heard.push(JSON.parse(String(data))));
    this.closed = new Promise((resolve) => {
      this.raw.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  send(message: unknown): void {
    this.raw.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string): void {
    this.send({ id, type: 'subscribe', payload: { query } });
  }

  /**
   * The next message that was not returned yet.
   *
   * @throws Error if the socket closes.
   */
  async next(): Promise<Message> {
    while (this.heard.length <= this.#read) {
      if (this.raw.readyState >= WebSocket.CLOSING) throw new Error('the socket has closed');
      await sleep(5);
    }
    return this.heard[this.#read++] as Message;
  }

  /**
   * The data of the next message, which must be an event of a subscription.
   *
   * @throws Error if it is another message or contains errors.
   */
  async event(): Promise<unknown> {
    const message = await this.next();
    if (message.type !== 'next' || message.payload.errors) throw new Error(JSON.stringify(message));
    return Object.values(message.payload.data)[0];
  }
}

/** The contents of `connection_init`. */
interface Greeting {
  readonly authorization?: string;
  readonly organizationId?: string;
}

/** Opens a socket and sends `connection_init` with the token, without waiting for an acknowledgment. */
export async function greet(
  url: string,
  token: string | undefined,
  headers?: Record<string, string>,
  organizationId?: string,
): Promise<Socket> {
  const socket = new Socket(url, headers);
  await Promise.race([once(socket.raw, 'open'), socket.closed]);
  if (socket.raw.readyState === WebSocket.OPEN) {
    const payload: Greeting = {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(organizationId !== undefined && { organizationId }),
    };
    socket.send({ type: 'connection_init', ...(Object.keys(payload).length > 0 && { payload }) });
  }
  return socket;
}

/**
 * Opens an authenticated socket.
 *
 * @param organizationId the organization that the socket acts for.
 * @throws Error if the server does not acknowledge it.
 */
export async function openSocket(url: string, token: string, organizationId?: string): Promise<Socket> {
  const socket = await greet(url, token, undefined, organizationId);
  const { type } = await socket.next();
  if (type !== 'connection_ack') throw new Error(type);
  return socket;
}

let latest = 0;

/**
 * Opens an authenticated socket and starts subscriptions.
 */
export async function subscribed(url: string, token: string, ...documents: string[]): Promise<Socket> {
  const socket = await openSocket(url, token);
  for (const document of documents) await begin(socket, document);
  return socket;
}

/**
 * Starts a subscription and waits until it is active. The protocol does not acknowledge subscriptions, but the server
 * handles messages in order. The answer to an invalid subscription therefore shows that the earlier ones are active.
 *
 * @returns the id of the subscription.
 */
export async function begin(socket: Socket, document: string): Promise<string> {
  const id = `subscription ${++latest}`;
  socket.subscribe(id, document);
  socket.subscribe('barrier', '{ __typename }');
  while ((await socket.next()).id !== 'barrier');
  return id;
}
