/** A change of a row for a subscriber. RESYNC means that changes were missed, and the client's data may be old. */
export interface LiveEvent {
  readonly event: 'INSERT' | 'UPDATE' | 'DELETE' | 'RESYNC';
  readonly id: string | null;
  /** The id of the row to read; null if there is no row to read. */
  readonly read: string | null;
}

/** Events that may wait for a slow subscriber. Beyond this limit, one RESYNC replaces all of them. */
const limit = 100;

const resync: LiveEvent = { event: 'RESYNC', id: null, read: null };

/**
 * The events of one subscription, in order and limited in number. Grafast by itself reads a stream as fast as it can, and
 * buffers the events that the client has not taken.
 *
 * An event waits (`push`), leaves when the previous event was sent (`next`), and is sent (`sent`). `hold` puts an event
 * back in front if its row could not be read. `resync` replaces all waiting events with one RESYNC. `return` ends the
 * feed.
 */
export class Feed implements AsyncIterableIterator<LiveEvent, undefined> {
  readonly table: string;
  readonly #check: () => Promise<void>;
  readonly #closed: (feed: Feed) => void;
  #waiting: LiveEvent[] = [];
  /** The event that left last. `hold` can put it back. */
  #inFlight: LiveEvent | undefined;
  #sent = true;
  #done = false;
  #wake = () => {};

  /**
   * @param check rejects if the subscriber's session has ended. It runs before events without a row to read, because reading
   *   a row checks the session anyway.
   * @param closed is called when the feed ends.
   */
  constructor(table: string, check: () => Promise<void>, closed: (feed: Feed) => void) {
    this.table = table;
    this.#check = check;
    this.#closed = closed;
  }

  push(event: 'INSERT' | 'UPDATE' | 'DELETE', id: string): void {
    // A row is read when its event leaves, so a waiting event for the same row will include this change.
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
   * Puts the event that left back in front, because its row could not be read. It leaves again after `sent`. If too many
   * events are waiting by then, a RESYNC replaces all of them.
   */
  hold(): void {
    const held = this.#inFlight;
    this.#inFlight = undefined;
    if (!held || this.#waiting[0] === resync) return;
    // The row has been deleted since, and the DELETE event suffices.
    if (this.#waiting.some(({ event, id }) => event === 'DELETE' && id === held.id)) return;
    if (held === resync || this.#waiting.length >= limit) this.#waiting = [resync];
    else this.#waiting = [held, ...this.#waiting.filter(({ event, id }) => event !== 'UPDATE' || id !== held.id)];
  }

  /** Lets the next event leave: the client has taken the previous event, or `hold` has put it back. */
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
    this.#inFlight = value;
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
