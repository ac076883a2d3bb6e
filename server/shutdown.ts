import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Sockets } from './graphql/live/sockets.ts';
import type { Readiness } from './tenancy/readiness.ts';

/** Seconds for the drain delay and the requests in flight together: less than the 10 that Docker waits. */
const stopTime = 8;

/** Seconds that requests in flight get at least, however long the drain delay is. */
const leastTime = 3;

/** Milliseconds between two looks for connections that have become idle while the server closes. */
const idleCheck = 100;

export interface ShutdownParts {
  readonly server: Server;
  readonly sockets: Sockets;
  readonly readiness: Readiness;
  /** Seconds between the first signal and the closing of the listener. */
  readonly drainDelay: number;
  readonly log: Logger;
  /** Closes what the server works with, once no request needs it any more. */
  close(): Promise<void>;
}

/**
 * Stops a server so that clients behind a balancer see no failed request.
 *
 * - serving.
 * - draining, from the first signal on: `/health/db` answers 503, so that balancers send their requests elsewhere. What
 *   arrives is still served, and every answer ends its connection.
 * - closing, after the drain delay: no new connections, websockets are told, requests in flight finish.
 * - cut, when their time is over or at the second signal: all connections are destroyed.
 * - closed: everything that was opened is closed, and the process ends.
 */
export class Shutdown {
  /** Resolves when everything is closed. @throws what closing has failed with. */
  readonly closed: Promise<void>;
  readonly #parts: ShutdownParts;
  readonly #begun = Promise.withResolvers<void>();
  readonly #cut = new AbortController();
  #draining = false;

  constructor(parts: ShutdownParts) {
    this.#parts = parts;
    this.closed = this.#run();
    parts.server.prependListener('request', (_request, response) => {
      if (this.#draining) response.setHeader('Connection', 'close');
    });
  }

  /** Begins at the first call, and cuts everything short at the second. */
  signal(): void {
    if (this.#draining) this.#cut.abort();
    this.#draining = true;
    this.#begun.resolve();
  }

  async #run(): Promise<void> {
    await this.#begun.promise;
    const { server, sockets, readiness, drainDelay, log, close } = this.#parts;
    const { signal } = this.#cut;
    readiness.stopping();
    log.info({ drainDelay }, 'stopping: requests are served until balancers have noticed');
    await sleep(drainDelay * 1000, undefined, { signal }).catch(() => {});

    const ended = Promise.all([sockets.close(), new Promise((resolve) => server.close(resolve))]);
    // Answers from before the first signal have not ended their connections.
    const idle = setInterval(() => server.closeIdleConnections(), idleCheck);
    const cut = () => {
      log.warn('connections of unfinished requests are cut');
      sockets.terminate();
      server.closeAllConnections();
    };
    const late = setTimeout(cut, Math.max(leastTime, stopTime - drainDelay) * 1000);
    if (signal.aborted) cut();
    else signal.addEventListener('abort', cut);
    await ended;
    clearInterval(idle);
    clearTimeout(late);
    signal.removeEventListener('abort', cut);
    await close();
  }
}
