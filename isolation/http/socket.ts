import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

export interface Message {
  readonly type: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the document asked for
  readonly payload?: any;
}

const protocol = 'graphql-transport-ws';

/** A websocket that says graphql-transport-ws by hand, so that a test sees each message, and each that is not sent. */
export class Socket {
  readonly raw: WebSocket;
  /** All that has come. */
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

  /** The next message that no one has taken yet. */
  async next(): Promise<Message> {
    while (this.heard.length <= this.#read) {
      if (this.raw.readyState >= WebSocket.CLOSING) throw new Error('the socket has closed');
      await sleep(5);
    }
    return this.heard[this.#read++] as Message;
  }

  /** The data of the next message, which is an event of a subscription. */
  async event(): Promise<unknown> {
    const message = await this.next();
    if (message.type !== 'next' || message.payload.errors) throw new Error(JSON.stringify(message));
    return Object.values(message.payload.data)[0];
  }
}

/** A socket that has said whose it is, and has not been answered yet. */
export async function greet(url: string, token: string | undefined, headers?: Record<string, string>): Promise<Socket> {
  const socket = new Socket(url, headers);
  await Promise.race([once(socket.raw, 'open'), socket.closed]);
  if (socket.raw.readyState === WebSocket.OPEN) {
    socket.send({ type: 'connection_init', ...(token && { payload: { authorization: `Bearer ${token}` } }) });
  }
  return socket;
}

/** A signed-in socket. */
export async function openSocket(url: string, token: string): Promise<Socket> {
  const socket = await greet(url, token);
  const { type } = await socket.next();
  if (type !== 'connection_ack') throw new Error(type);
  return socket;
}

let latest = 0;

/**
 * A signed-in socket whose subscriptions have begun. The protocol acknowledges no subscription; it takes messages in
 * order, so that one which is wrong is answered when those before it have begun.
 */
export async function subscribed(url: string, token: string, ...documents: string[]): Promise<Socket> {
  const socket = await openSocket(url, token);
  for (const document of documents) await begin(socket, document);
  return socket;
}

export async function begin(socket: Socket, document: string): Promise<string> {
  const id = `subscription ${++latest}`;
  socket.subscribe(id, document);
  socket.subscribe('barrier', '{ __typename }');
  while ((await socket.next()).id !== 'barrier');
  return id;
}
