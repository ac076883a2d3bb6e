import { requestText } from '../requests.ts';
import { attacks } from './attacks.ts';
import type { AttackRequests, Job } from './job.ts';

/** A request and its size. */
interface SizedRequest {
  readonly bytes: Buffer;
  readonly size: number;
}

/** A source of requests for a client. */
export interface Source {
  next(): SizedRequest;
  /** Tells the source the server's answer to a request of `size`. */
  answered(size: number, kind: string): void;
  /** The size of the next request. */
  readonly size: number;
}

export function sourceOf(source: Job['source']): Source {
  return 'request' in source ? new Fixed(source.request) : new Adaptive(source);
}

class Fixed implements Source {
  readonly size = 0;
  readonly #request: SizedRequest;

  constructor(text: string) {
    this.#request = { bytes: Buffer.from(text), size: 0 };
  }

  next(): SizedRequest {
    return this.#request;
  }

  answered(): void {}
}

/**
 * Requests of an attack that are as large as the server allows, unless the attack's size is fixed. A binary search
 * finds the size. While it runs, each TOO_COMPLEX lowers the size to the middle between the largest accepted and the
 * smallest refused one. When the two are close, the search ends and the source keeps the accepted size.
 */
class Adaptive implements Source {
  readonly #make: (size: number, serial: number) => Buffer;
  /** Whether every request differs; otherwise requests of one size are the same. */
  readonly #unique: boolean;
  readonly #first: number;
  readonly #isFixed: boolean;
  #last: SizedRequest | undefined;
  #accepted = 0;
  #refused: number | undefined;
  #serial = 0;

  constructor({ attack, api, tokens, size }: AttackRequests) {
    const { calls, unique, fixed } = attacks[attack];
    const call = calls[api];
    if (!call) throw new Error(`The API ${api} offers nothing for the attack ${attack}.`);
    this.#make = (size, serial) =>
      Buffer.from(requestText(call(size, serial), tokens[serial % tokens.length] as string));
    this.#unique = unique === true || tokens.length > 1;
    this.#first = size;
    this.#isFixed = fixed === true;
  }

  get size(): number {
    if (this.#refused === undefined) return this.#first;
    const isFound = this.#refused - this.#accepted <= Math.max(1, this.#refused * 0.03);
    return Math.max(1, isFound ? this.#accepted : Math.floor((this.#accepted + this.#refused) / 2));
  }

  next(): SizedRequest {
    const { size } = this;
    if (this.#unique || this.#last?.size !== size) this.#last = { bytes: this.#make(size, ++this.#serial), size };
    return this.#last;
  }

  answered(size: number, kind: string): void {
    if (this.#isFixed) return;
    if (kind === 'TOO_COMPLEX') this.#refused = Math.min(this.#refused ?? size, size);
    else if (kind === 'ok') this.#accepted = Math.max(this.#accepted, size);
    if (this.#refused !== undefined) this.#accepted = Math.min(this.#accepted, this.#refused - 1);
  }
}
