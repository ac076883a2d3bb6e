import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../../common/usageError.ts';
import { type Answer, post } from '../http/post.ts';

/** The identity that sends a request. */
export interface ApiActor {
  /** A name for use in sentences: `A`, `B`, `an unauthenticated client`. */
  readonly name: string;
  /** The user's id; undefined without authentication. */
  readonly id?: string;
  readonly token?: string;
  /** The organization that the actor acts for. */
  readonly organizationId?: string;
}

export interface GraphQLRequest {
  readonly document: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The maximum time to wait after a 429, in seconds. */
const maxWait = 300;

/** The server stopped answering during the attacks. The run proves nothing. */
class ServerLostError extends Error {}

/** Sends requests to a Hedgerow server over HTTP. */
export class Client {
  readonly url: string;
  /** The number of mutations that returned data. */
  writes = 0;
  readonly #agent: Agent;
  readonly #progress: (line: string) => void;

  /** @param url the server's address, without a path. */
  constructor(url: string, progress: (line: string) => void = () => {}) {
    this.url = url.replace(/\/$/, '');
    this.#agent = new (url.startsWith('https:') ? SecureAgent : Agent)({ keepAlive: true });
    this.#progress = progress;
  }

  /** Sends a GraphQL request and counts it if it is a successful mutation. */
  async ask(actor: ApiActor, { document, variables, headers }: GraphQLRequest): Promise<Answer> {
    const { token, organizationId } = actor;
    const answer = await this.send(
      'POST',
      '/graphql',
      token,
      { query: document, variables },
      { ...(organizationId !== undefined && { 'x-organization-id': organizationId }), ...headers },
    );
    const isWrite =
      document.startsWith('mutation') && Object.values(answer.body?.data ?? {}).some((value) => value !== null);
    if (isWrite) this.writes++;
    return answer;
  }

  /**
   * Sends a request. After a 429, waits as long as `Retry-After` says and sends it again.
   *
   * @throws ServerLostError if there is no answer.
   * @throws UsageError if the wait would be longer than five minutes.
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
    if (seconds > maxWait) {
      throw new UsageError(
        `${this.url}${path} is rate limited for another ${seconds} s. Run the prover later, or pass existing accounts with --as-a and --as-b.`,
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
