import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../../common/usageError.ts';
import { type Answer, post } from '../http/post.ts';

/** Whom a request speaks for. */
export interface Member {
  /** As in a sentence: `A`, `B`, `a stranger`. */
  readonly name: string;
  /** The user's id; undefined for a stranger. */
  readonly id?: string;
  readonly token?: string;
}

export interface Question {
  readonly document: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Seconds. */
const longestWait = 300;

/** The server was lost while it was attacked: nothing is proven. */
class ServerLostError extends Error {}

/** A Hedgerow over HTTP. */
export class Client {
  readonly url: string;
  /** Mutations that have done something. */
  writes = 0;
  readonly #agent: Agent;
  readonly #progress: (line: string) => void;

  /** @param url without a path. */
  constructor(url: string, progress: (line: string) => void = () => {}) {
    this.url = url.replace(/\/$/, '');
    this.#agent = new (url.startsWith('https:') ? SecureAgent : Agent)({ keepAlive: true });
    this.#progress = progress;
  }

  async ask(who: Member, { document, variables, headers }: Question): Promise<Answer> {
    const answer = await this.send('POST', '/graphql', who.token, { query: document, variables }, headers);
    const done =
      document.startsWith('mutation') && Object.values(answer.body?.data ?? {}).some((value) => value !== null);
    if (done) this.writes++;
    return answer;
  }

  /**
   * Waits where the server says that there was too much, for as long as it says.
   *
   * @throws ServerLostError where there is no answer; UsageError where it is too long to wait.
   */
  async send(
    method: string,
    path: string,
    token?: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const payload = Buffer.from(body === undefined ? '' : JSON.stringify(body));
    const answer = await post(this.url + path, { agent: this.#agent, token, payload, method, headers });
    if (typeof answer === 'string') throw new ServerLostError(`${method} ${path} got no answer: ${answer}`);
    if (answer.status !== 429) return answer;
    const seconds = Number(answer.headers['retry-after'] ?? 1);
    if (seconds > longestWait) {
      throw new UsageError(
        `${this.url}${path} lets nobody try again for ${seconds} s. Run it later, or with --as-a and --as-b.`,
      );
    }
    this.#progress(`${path} answered 429: waiting for ${seconds} s`);
    await sleep(seconds * 1000);
    return this.send(method, path, token, body, headers);
  }

  close(): void {
    this.#agent.destroy();
  }
}
