/** A change of a row as a subscriber is told of it. RESYNC: changes were missed, and what the client holds may be old. */
export interface LiveEvent {
  readonly event: 'INSERT' | 'UPDATE' | 'DELETE' | 'RESYNC';
  readonly id: string | null;
  /** The row to read again; null where there is none. */
  readonly read: string | null;
}

/** Events that wait for a slow subscriber. Beyond it they are dropped, and a RESYNC stands for all of them. */
const limit = 100;

const resync: LiveEvent = { event: 'RESYNC', id: null, read: null };

/**
 * The events of one subscription, in order and bounded: the next one leaves when the one before has been sent. Grafast
 * by itself reads a stream as fast as it can, and keeps what the client does not take.
 */
export class Feed implements AsyncIterableIterator<LiveEvent, undefined> {
  readonly table: string;
  readonly #check: () => Promise<void>;
  readonly #closed: (feed: Feed) => void;
  #waiting: LiveEvent[] = [];
  /** The event that has left, until the client has taken it. */
  #left: LiveEvent | undefined;
  #sent = true;
  #done = false;
  #wake = () => {};

  /** `check` rejects where the subscriber's session does not live any more; it runs before what needs no row. */
  constructor(table: string, check: () => Promise<void>, closed: (feed: Feed) => void) {
    this.table = table;
    this.#check = check;
    this.#closed = closed;
  }

  push(event: 'INSERT' | 'UPDATE' | 'DELETE', id: string): void {
    // The row is read when the event leaves: what waits already will show this change too.
    if (this.#waiting[0] === resync || (event === 'UPDATE' && this.#waiting.some(({ read }) => read === id))) return;
    if (event === 'DELETE') this.#waiting = this.#waiting.filter((waiting) => waiting.id !== id);
    if (this.#waiting.length >= limit) this.#waiting = [resync];
    else this.#waiting.push({ event, id, read: event === 'DELETE' ? null : id });
    this.#wake();
  }

  resync(): void {
    this.#waiting = [resync];
    this.#wake();
  }

  /**
   * The event that has left could not be read, and goes back to the front. It leaves again after `sent`, unless changes
   * that came meanwhile are more than may wait: then a RESYNC stands for all of them.
   */
  hold(): void {
    const held = this.#left;
    this.#left = undefined;
    if (!held || this.#waiting[0] === resync) return;
    // Its row has been deleted since: that event says all.
    if (this.#waiting.some(({ event, id }) => event === 'DELETE' && id === held.id)) return;
    if (held === resync || this.#waiting.length >= limit) this.#waiting = [resync];
    else this.#waiting = [held, ...this.#waiting.filter(({ event, id }) => event !== 'UPDATE' || id !== held.id)];
  }

  /** The event before has been taken by the client, or is held. */
  sent(): void {
    this.#sent = true;
    this.#wake();
  }

  async next(): Promise<IteratorResult<LiveEvent, undefined>> {
    while (!this.#done && !(this.#sent && this.#waiting.length > 0)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (!this.#done && this.#waiting[0]?.read === null) await this.#check();
    const value = this.#done ? undefined : this.#waiting.shift();
    if (!value) return { done: true, value: undefined };
    this.#sent = false;
    this.#left = value;
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<LiveEvent, undefined>> {
    this.#done = true;
    this.#closed(this);
    this.#wake();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
