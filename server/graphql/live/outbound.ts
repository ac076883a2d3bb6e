import type { WebSocket } from 'ws';
import { ByteBudget } from '../../http/byteBudget.ts';
import { closing } from './connection.ts';

/** Characters of messages that clients have not taken yet. */
const unsent = new ByteBudget({ total: 32_000_000, tenant: 4_000_000 });

/**
 * Messages on their way to one socket's client. Each counts in its tenant's memory from `send` until the client's side
 * has taken it, or the socket has closed. A client that answers pings and reads no messages would keep them otherwise.
 */
export class Outbound {
  readonly #socket: WebSocket;
  readonly #budget: ByteBudget;
  #waiting = 0;
  /** Whether a message was taken, or the first one sent, since `isStuck` was last asked. */
  #moved = false;

  constructor(socket: WebSocket, budget: ByteBudget = unsent) {
    this.#socket = socket;
    this.#budget = budget;
  }

  /**
   * Sends a message. Closes the socket where its tenant has too much unsent.
   *
   * @returns a promise that resolves when the client's side has taken it, which slows a subscription down to its client.
   */
  send(data: string, tenant: string): Promise<void> {
    if (!this.#budget.take(tenant, data.length)) {
      this.#socket.close(...closing.tooSlow);
      return Promise.reject(new Error('too many bytes of the tenant are unsent'));
    }
    if (this.#waiting++ === 0) this.#moved = true;
    return new Promise((resolve, reject) => {
      // Called once in any case: with an error where the socket closes first.
      this.#socket.send(data, (error) => {
        this.#waiting--;
        this.#moved = true;
        this.#budget.give(tenant, data.length);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Whether messages wait and none was taken since this was last asked. Ask at long intervals, such as 30 s. */
  isStuck(): boolean {
    const stuck = this.#waiting > 0 && !this.#moved;
    this.#moved = false;
    return stuck;
  }
}
