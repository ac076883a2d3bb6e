import { once } from 'node:events';
import { Agent, createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A round-robin reverse proxy for healthy servers. It never retries a request. */
export interface Balancer {
  readonly url: string;
  /** Adds a server. Resolves after its first successful health check, from which on it gets requests. */
  add(url: string): Promise<void>;
  /** Requests that the proxy could not forward, or whose answers broke off. */
  readonly failures: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts the proxy.
 *
 * @param interval milliseconds between checks of `/health/db`; a server whose check fails gets no requests.
 */
export async function startBalancer(interval = 100): Promise<Balancer> {
  const backends = new Map<string, boolean>();
  const agent = new Agent({ keepAlive: true });
  const failures: string[] = [];
  let turn = 0;
  const proxy = createServer({ keepAliveTimeout: 120_000 }, (incoming, outgoing) => {
    const healthy = [...backends].flatMap(([url, isHealthy]) => (isHealthy ? [url] : []));
    const backend = healthy[turn++ % healthy.length];
    const fail = (why: unknown) => {
      failures.push(`${incoming.method} ${incoming.url} at ${backend}: ${why}`);
      outgoing.writeHead(502).end();
    };
    if (!backend) return fail('no healthy server');
    const { method = 'GET', headers } = incoming;
    const { connection, ...rest } = headers;
    const passed = send(new URL(incoming.url ?? '/', backend), { agent, method, headers: rest }, (answer) => {
      const { connection, 'keep-alive': _, ...passedOn } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, passedOn);
      answer.on('error', fail).pipe(outgoing);
    });
    passed.on('error', fail);
    incoming.pipe(passed);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');

  const check = async (url: string) => {
    const isHealthy = await fetch(`${url}/health/db`, { headers: { Connection: 'close' } }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (backends.has(url)) backends.set(url, isHealthy);
  };
  let checking = true;
  const checked = (async () => {
    for (; checking; await sleep(interval)) await Promise.all([...backends.keys()].map(check));
  })();
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    add: async (url) => {
      backends.set(url, false);
      while (!backends.get(url)) await sleep(10);
    },
    failures,
    close: async () => {
      checking = false;
      await checked;
      agent.destroy();
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}
