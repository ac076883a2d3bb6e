import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { parseJson } from '../../common/parseJson.ts';

/** When the client goes: half-way through sending, some milliseconds after it has sent all, or at the answer's head. */
export interface Abort {
  readonly when: 'before' | 'during' | 'after';
  readonly milliseconds: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Undefined where the text is not JSON. */
  readonly body: Body | undefined;
  readonly milliseconds: number;
}

export interface Body {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the document asked for
  readonly data?: any;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

/** Why there is no answer: we went, we waited too long, or the connection broke, which it never should. */
export type NoAnswer = 'aborted' | 'hung' | `broken: ${string}`;

/** No request may take longer than this, whatever happens to the database. */
const patience = 15_000;

interface Outgoing {
  readonly agent: Agent;
  readonly token: string | undefined;
  readonly payload: Buffer;
  readonly abort?: Abort | undefined;
  /** By default POST. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends `payload` over a real socket. Never rejects. */
export function post(url: string, outgoing: Outgoing): Promise<Answer | NoAnswer> {
  const { agent, token, payload, abort, method = 'POST', headers = {} } = outgoing;
  const start = performance.now();
  return new Promise((resolve) => {
    let gone = false;
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
    const leave = () => {
      gone = true;
      sending.destroy();
      finish('aborted');
    };
    timers.push(
      setTimeout(() => {
        gone = true;
        sending.destroy();
        finish('hung');
      }, patience),
    );
    sending.on('error', (error) => finish(gone ? 'aborted' : `broken: ${error.message}`));
    sending.on('response', (response) => {
      if (abort?.when === 'after') return leave();
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', (error) => finish(gone ? 'aborted' : `broken: ${error.message}`));
      response.on('end', () => {
        // Answered before all was sent: the rest never comes, and the connection is of no use to the next request.
        if (abort?.when === 'before') sending.destroy();
        const text = Buffer.concat(chunks).toString('utf8');
        const { statusCode: status = 0, headers } = response;
        const body = parseJson(text) as Body | undefined;
        finish({ status, headers, text, body, milliseconds: performance.now() - start });
      });
    });
    if (abort?.when === 'before') {
      sending.write(payload.subarray(0, payload.length / 2));
      timers.push(setTimeout(leave, abort.milliseconds));
      return;
    }
    sending.end(payload);
    if (abort?.when === 'during') timers.push(setTimeout(leave, abort.milliseconds));
  });
}
