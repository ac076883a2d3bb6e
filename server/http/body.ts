import express, { type Request, type RequestHandler, type Response } from 'express';
import { CancelledError } from '../../postgres/cancellation.ts';
import { ByteBudget } from './byteBudget.ts';
import { Problem } from './problem.ts';
import { charged } from './turn.ts';

/** Maximum size of a body, in bytes. */
const bodyLimit = 100_000;

/** Maximum size of the body of a signed-in user's GraphQL request, in bytes. */
const graphqlBodyLimit = 2_000_000;

/** Size up to which a body takes no memory from the budget, in bytes. */
const uncounted = 16_000;

/** Budget for bodies over `uncounted` of running and waiting requests. A tenant's queue of 100 kB bodies fits. */
const bodies = new ByteBudget({ total: 64_000_000, tenant: 8_000_000 });

/**
 * Reads a JSON body of at most 100 kB. Rejects other content types, because a form on another site can send those, and
 * cannot send JSON.
 */
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
 * Reads the JSON body of a signed-in user's GraphQL request. The maximum of 2 MB allows a thousand items with long texts.
 * Bodies over 16 kB take memory from the shared budget.
 *
 * @throws Problem 415, and as `BodyReader.done`.
 */
export function readBody(budget: ByteBudget = bodies): RequestHandler {
  return async (request, response, next) => {
    // Grafserv rejects other content types.
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

/** Parses a large body and charges the time to the tenant's turn. Grafserv parses small bodies and reports invalid JSON. */
export const parseBody: RequestHandler = (request, _response, next) => {
  const { body } = request;
  if (Buffer.isBuffer(body) && body.length > bodyLimit) request.body = charged(request, () => parsed(body));
  next();
};

/** Returns the parsed body, or the body itself if it is no JSON object. @throws Problem 400 if parsing would take long. */
function parsed(body: Buffer): unknown {
  checkStructure(body);
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? value : body;
  } catch {
    return body;
  }
}

/** Maximum nesting of objects and lists. A million levels, 2 MB, would take up to 0.4 s to parse. */
const maxDepth = 100;

/**
 * Maximum of brackets, braces, colons and commas. 650,000 empty lists, 2 MB, would take up to 0.9 s to parse. A thousand
 * items with 99 columns each have fewer.
 */
const maxStructural = 200_000;

const [quote, backslash, openList, openObject, closeList, closeObject, colon, comma] = Buffer.from('"\\[{]}:,');

/** Scans the bytes, which is cheaper than parsing them. @throws Problem 400 beyond `maxDepth` or `maxStructural`. */
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
      if (depth > maxDepth) {
        throw new Problem(
          400,
          `The body nests objects and lists more than ${maxDepth} levels deep. Send a flatter one.`,
        );
      }
    } else if (byte === closeList || byte === closeObject) depth--;
    else if (byte === colon || byte === comma) structural++;
    if (structural > maxStructural) {
      throw new Problem(
        400,
        `The body has too many values: more than ${maxStructural} of "[", "{", ":" and ",". Send it in parts.`,
      );
    }
  }
}

/** Timeout of each further `bodyLimit` bytes of a large body, in milliseconds. */
const portionTimeout = 5000;

/**
 * Reads one body. It is
 *
 * - `reading`: it takes memory from the budget as bytes arrive;
 * - `complete`: `done` resolves;
 * - `stopped`: `done` rejects, because the body is too large or too slow, the memory is exhausted, or the request was
 *   canceled.
 *
 * The memory returns to the budget when the response closes.
 */
class BodyReader {
  /**
   * @throws Problem 413 for a body that is too large, 408 for one that arrives too slowly, 503 if the budget is exhausted;
   *   CancelledError if the client disconnects.
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
    // If the client disconnected during the check of its token, no `close` event follows that would free the memory.
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
    // Discard the rest of the body.
    this.#request.off('data', this.#add).off('error', this.stop).resume();
    this.#reject(error);
  };

  readonly #add = (chunk: Buffer): void => {
    this.#length += chunk.length;
    this.#chunks.push(chunk);
    const problem = this.#takeMemory();
    if (problem) this.stop(problem);
  };

  /** Takes memory for the bytes that have arrived, in portions. A declared length takes none, because it proves nothing. */
  #takeMemory(): Problem | undefined {
    const length = this.#length;
    if (length > graphqlBodyLimit) return tooLarge();
    if (length <= uncounted || length <= this.#taken) return undefined;
    const portion = Math.max(length - this.#taken, length > bodyLimit ? bodyLimit : uncounted);
    const tenant = this.#request.user?.userId ?? '';
    if (!this.#budget.take(tenant, portion)) {
      return new Problem(503, 'The server is handling too many large requests. Try again shortly.', {
        headers: { 'Retry-After': '1' },
      });
    }
    if (this.#taken === 0) this.#response.once('close', () => this.#release(tenant));
    this.#taken += portion;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stop(tooSlow()), portionTimeout);
    return undefined;
  }

  #release(tenant: string): void {
    this.stop(new CancelledError('client gone'));
    this.#budget.give(tenant, this.#taken);
  }
}

function tooLarge(): Problem {
  return new Problem(413, 'The body is larger than 2 MB. Send it in parts.');
}

function tooSlow(): Problem {
  return new Problem(408, 'The body arrived too slowly. Send large bodies over a faster connection, or in parts.', {
    headers: { Connection: 'close' },
  });
}
