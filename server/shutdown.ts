import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Sockets } from './graphql/live/sockets.ts';
import type { Readiness } from './tenancy/readiness.ts';

/** Seconds for the drain delay and the requests in flight together. Docker waits for 10. */
const stopTime = 8;

/** Minimum of seconds for requests in flight after the drain delay. */
const leastTime = 3;

/** Milliseconds between two checks for idle connections while the server closes. */
const idleCheck = 100;

export interface ShutdownParts {
  readonly server: Server;
  readonly sockets: Sockets;
  readonly readiness: Readiness;
  /** Seconds between the first signal and the closing of the listener. */
  readonly drainDelay: number;
  readonly log: Logger;
  /** Closes the resources of the server, once no request needs them. */
  close(): Promise<void>;
}

/**
 * Stops a server so that clients behind a load balancer see no failed request.
 *
 * - _serving_.
 * - _draining_, from the first signal on: `/health/db` answers 503, so that load balancers send requests elsewhere. The
 *   server still answers requests, and closes the connection after each answer.
 * - _closing_, after the drain delay: it accepts no connections, closes WebSockets, and lets requests in flight finish.
 * - _cut_, when their time is over or at the second signal: it destroys all connections.
 * - _closed_: all resources are closed, and the process ends.
 */
export class Shutdown {
  /** Resolves when everything is closed. @throws the error of `close`. */
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

  /** Starts draining at the first call, and destroys all connections at the second. */
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
    // Connections with answers from before the first signal are still open.
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
