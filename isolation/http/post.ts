import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { parseJson } from '../../common/parseJson.ts';

/**
 * When the client aborts the request:
 *
 * - before: after half of the body has been sent
 * - during: after the whole body has been sent
 * - after: when the answer's headers arrive
 */
export interface Abort {
  readonly when: 'before' | 'during' | 'after';
  /** The delay for `before` and `during`. */
  readonly milliseconds: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Undefined if the text is not JSON. */
  readonly body: Body | undefined;
  readonly milliseconds: number;
}

export interface Body {
  // biome-ignore lint/suspicious/noExplicitAny: the shape depends on the document
  readonly data?: any;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

/** Why there is no answer: the client aborted, the request timed out, or the connection broke, which is a bug. */
export type NoAnswer = 'aborted' | 'hung' | `broken: ${string}`;

/** The time limit of a request in milliseconds. It holds even if the database is unavailable. */
const requestTimeout = 15_000;

interface Outgoing {
  readonly agent: Agent;
  readonly token: string | undefined;
  readonly payload: Buffer;
  readonly abort?: Abort | undefined;
  /** Defaults to POST. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends `payload` over a real socket. The promise never rejects. */
export function post(url: string, outgoing: Outgoing): Promise<Answer | NoAnswer> {
  const { agent, token, payload, abort, method = 'POST', headers = {} } = outgoing;
  const start = performance.now();
  return new Promise((resolve) => {
    let isAborted = false;
    const sending = (url.startsWith('https:') ? requestSecurely : request)(url, {
      agent,
      method,
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': payload.length,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    });
    const timers: NodeJS.Timeout[] = [];
    const finish = (result: Answer | NoAnswer) => {
      for (const timer of timers) clearTimeout(timer);
      resolve(result);
    };
    const abortRequest = () => {
      isAborted = true;
      sending.destroy();
      finish('aborted');
    };
    timers.push(
      setTimeout(() => {
        isAborted = true;
        sending.destroy();
        finish('hung');
      }, requestTimeout),
    );
    sending.on('error', (error) => finish(isAborted ? 'aborted' : `broken: ${error.message}`));
    sending.on('response', (response) => {
      if (abort?.when === 'after') return abortRequest();
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', (error) => finish(isAborted ? 'aborted' : `broken: ${error.message}`));
      response.on('end', () => {
        // The server answered before the whole body was sent. The next request cannot reuse this connection.
        if (abort?.when === 'before') sending.destroy();
        const text = Buffer.concat(chunks).toString('utf8');
        const { statusCode: status = 0, headers } = response;
        const body = parseJson(text) as Body | undefined;
        finish({ status, headers, text, body, milliseconds: performance.now() - start });
      });
    });
    if (abort?.when === 'before') {
      sending.write(payload.subarray(0, payload.length / 2));
      timers.push(setTimeout(abortRequest, abort.milliseconds));
      return;
    }
    sending.end(payload);
    if (abort?.when === 'during') timers.push(setTimeout(abortRequest, abort.milliseconds));
  });
}
