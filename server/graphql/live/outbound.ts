import type { WebSocket } from 'ws';
import { ByteBudget } from '../../http/byteBudget.ts';
import { closing } from './connection.ts';

/** The budget for characters of messages that clients have not taken yet. */
const unsent = new ByteBudget({ total: 32_000_000, tenant: 4_000_000 });

/**
 * Unsent messages of one socket. Each counts in its tenant's memory from `send` until the client has taken it or the
 * socket has closed. Without this limit, a client that answers pings but reads no messages would fill the memory.
 */
export class Outbound {
  readonly #socket: WebSocket;
  readonly #budget: ByteBudget;
  #waiting = 0;
  /** The client took a message, or the first one was sent, since the last call of `isStuck`. */
  #moved = false;

  constructor(socket: WebSocket, budget: ByteBudget = unsent) {
    this.#socket = socket;
    this.#budget = budget;
  }

  /**
   * Sends a message. Closes the socket if its tenant has too many unsent characters.
   *
   * @returns a promise that resolves when the client has taken the message. Waiting for it slows a subscription down to
   *   the pace of its client.
   */
  send(data: string, tenant: string): Promise<void> {
    if (!this.#budget.take(tenant, data.length)) {
      this.#socket.close(...closing.tooSlow);
      return Promise.reject(new Error('the tenant has too many unsent messages'));
    }
    if (this.#waiting++ === 0) this.#moved = true;
    return new Promise((resolve, reject) => {
      // ws always calls this once, with an error if the socket closes first.
      this.#socket.send(data, (error) => {
        this.#waiting--;
        this.#moved = true;
        this.#budget.give(tenant, data.length);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Tells whether messages wait and the client took none since the last call. Call it at long intervals, such as 30 s. */
  isStuck(): boolean {
    const stuck = this.#waiting > 0 && !this.#moved;
    this.#moved = false;
    return stuck;
  }
}
