import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Express } from 'express';
import supertest from 'supertest';

const servers = new WeakMap<Express, Server>();

/**
 * Opens one port for all requests of `requestTo(app)`. Without it, supertest opens a port for each request, which costs
 * more than most answers.
 *
 * @returns a function that closes the port.
 */
export async function openPort(app: Express): Promise<() => void> {
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.set(app, server);
  return () => {
    servers.delete(app);
    server.close();
    server.closeAllConnections();
  };
}

/** Starts a request to an app or to the server at a URL. */
export function requestTo(target: Express | string) {
  return supertest(typeof target === 'string' ? target : (servers.get(target) ?? target));
}
