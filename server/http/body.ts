import express, { type Request, type RequestHandler, type Response } from 'express';
import { CancelledError } from '../../postgres/cancellation.ts';
import { ByteBudget } from './byteBudget.ts';
import { Problem } from './problem.ts';
import { charged } from './turn.ts';

/** Largest body that is read, in bytes: of anybody, and of a signed-in user's GraphQL request. */
const bodyLimit = 100_000;
const graphqlBodyLimit = 2_000_000;

/** Bytes that a body may have without taking memory from the budget. */
const uncounted = 16_000;

/** Bytes of bodies over `uncounted` whose requests are under way: a tenant's queue of bodies of 100 kB fits in. */
const bodies = new ByteBudget({ total: 64_000_000, tenant: 8_000_000 });

/** Reads a JSON body of at most 100 kB. Another content type is refused: a form of another site cannot send this one. */
export const jsonBody: RequestHandler[] = [
  (request, _response, next) => {
    const length = request.get('content-length') ?? request.get('transfer-encoding');
    const wrongType =
      request.method !== 'GET' && length !== undefined && length !== '0' && !request.is('application/json');
    next(wrongType ? new Problem(415, 'Send JSON, with Content-Type: application/json.') : undefined);
  },
  express.json({ limit: bodyLimit }),
];

/**
 * Reads the JSON body of a signed-in user's GraphQL request: at most 2 MB, which a thousand items with long texts fit in.
 * Everything over 16 kB counts in the memory that requests share.
 */
export function readBody(budget: ByteBudget = bodies): RequestHandler {
  return async (request, response, next) => {
    // Grafserv refuses what is not JSON.
    if (!request.is('application/json')) return next();
    const encoding = request.get('content-encoding') ?? 'identity';
    if (encoding !== 'identity') throw new Problem(415, 'Send the body uncompressed, without Content-Encoding.');
    let reader: BodyReader | undefined;
    request.body = await request.cancellation.race(
      () => {
        reader = new BodyReader(request, response, budget);
        return reader.done;
      },
      (error) => reader?.stop(error),
    );
    next();
  };
}

/** Parses a large body, which takes some time of the tenant's turn. Small ones, and what is not JSON, are Grafserv's. */
export const parseBody: RequestHandler = (request, _response, next) => {
  const { body } = request;
  if (Buffer.isBuffer(body) && body.length > bodyLimit) request.body = charged(request, () => parsed(body));
  next();
};

/** @throws Problem 400 where parsing would take long. */
function parsed(body: Buffer): unknown {
  checkStructure(body);
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? value : body;
  } catch {
    return body;
  }
}

/** Objects and lists inside one another: a million of them, 2 MB, would take up to 0.4 s to parse. */
const mostNested = 100;

/**
 * Brackets, braces, colons and commas: 650,000 empty lists, 2 MB, would take up to 0.9 s to parse. A thousand items with
 * 99 columns each have fewer.
 */
const mostStructural = 200_000;

const [quote, backslash, openList, openObject, closeList, closeObject, colon, comma] = Buffer.from('"\\[{]}:,');

/** Scans the bytes, which is cheaper than parsing them. @throws Problem 400 beyond the limits. */
function checkStructure(json: Buffer): void {
  let depth = 0;
  let structural = 0;
  let isText = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index];
    if (isText) {
      if (byte === backslash) index++;
      else if (byte === quote) isText = false;
    } else if (byte === quote) isText = true;
    else if (byte === openList || byte === openObject) {
      depth++;
      structural++;
      if (depth > mostNested) {
        throw new Problem(400, `The body has more than ${mostNested} objects and lists inside one another.`);
      }
    } else if (byte === closeList || byte === closeObject) depth--;
    else if (byte === colon || byte === comma) structural++;
    if (structural > mostStructural) {
      throw new Problem(400, `The body has too many values: more than ${mostStructural} of "[", "{", ":" and ",".`);
    }
  }
}

/** Milliseconds in which each further `bodyLimit` bytes of a large body have to come. */
const patience = 5000;

/**
 * Reads one body. It is
 * - `reading`, and takes memory from the budget as its bytes come;
 * - `complete` (`done` resolves) or `stopped` (`done` rejects): too large, too slow, no memory left, or given up.
 *
 * The memory is given back when the response closes.
 */
class BodyReader {
  /**
   * @throws Problem 413 for a body that is too large, 408 for one that comes too slowly, 503 for one that there is no
   *   memory for now; CancelledError once the client has gone.
   */
  readonly done: Promise<Buffer>;
  readonly #request: Request;
  readonly #response: Response;
  readonly #budget: ByteBudget;
  readonly #chunks: Buffer[] = [];
  readonly #reject: (error: unknown) => void;
  #length = 0;
  #taken = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(request: Request, response: Response, budget: ByteBudget) {
    this.#request = request;
    this.#response = response;
    this.#budget = budget;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.done = promise;
    this.#reject = reject;
    // A client may have gone while its token was verified; then no `close` follows that would give memory back.
    if (response.closed || request.destroyed) this.stop(new CancelledError('client gone'));
    else if (Number(request.get('content-length') ?? 0) > graphqlBodyLimit) this.stop(tooLarge());
    else request.on('data', this.#add).on('error', this.stop);
    request.on('end', () => {
      clearTimeout(this.#timer);
      resolve(Buffer.concat(this.#chunks));
      this.#chunks.length = 0;
    });
  }

  readonly stop = (error: unknown): void => {
    clearTimeout(this.#timer);
    this.#chunks.length = 0;
    // The rest of it is not kept.
    this.#request.off('data', this.#add).off('error', this.stop).resume();
    this.#reject(error);
  };

  readonly #add = (chunk: Buffer): void => {
    this.#length += chunk.length;
    this.#chunks.push(chunk);
    const refused = this.#refusal();
    if (refused) this.stop(refused);
  };

  /** Takes memory for what has come, in portions. A declared length takes none: it costs its client nothing. */
  #refusal(): Problem | undefined {
    const length = this.#length;
    if (length > graphqlBodyLimit) return tooLarge();
    if (length <= uncounted || length <= this.#taken) return undefined;
    const portion = Math.max(length - this.#taken, length > bodyLimit ? bodyLimit : uncounted);
    const tenant = this.#request.user?.userId ?? '';
    if (!this.#budget.take(tenant, portion)) {
      return new Problem(503, 'Too many large requests are under way. Try again shortly.', {
        headers: { 'Retry-After': '1' },
      });
    }
    if (this.#taken === 0) this.#response.once('close', () => this.#release(tenant));
    this.#taken += portion;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stop(tooSlow()), patience);
    return undefined;
  }

  #release(tenant: string): void {
    this.stop(new CancelledError('client gone'));
    this.#budget.give(tenant, this.#taken);
  }
}

function tooLarge(): Problem {
  return new Problem(413, 'The body is larger than 2 MB.');
}

function tooSlow(): Problem {
  return new Problem(408, 'The body came too slowly. Send large bodies over a faster connection, or in parts.', {
    headers: { Connection: 'close' },
  });
}
