import { type RequestHandler, Router } from 'express';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { passwordHashesWaiting } from '../auth/passwords/queue.ts';
import type { Database } from '../database/database.ts';
import type { Admission } from '../tenancy/admission.ts';
import { registerAdmissionMetrics } from './admissionMetrics.ts';
import { registerDatabaseMetrics } from './databaseMetrics.ts';
import { type Live, registerLiveMetrics } from './liveMetrics.ts';
import { readMetrics } from './readMetrics.ts';

/** Parts of the server that count for themselves. */
interface Counted {
  readonly database: Database;
  readonly admission: Admission;
  readonly live: Live;
}

/** The metrics that Prometheus reads at `/metrics`. */
export function createMetrics({ database, admission, live }: Counted): { middleware: RequestHandler; routes: Router } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time to answer a request, by route and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const { gauge } = readMetrics(registry);
  gauge('hedgerow_password_hashes_waiting', 'Passwords that wait to be hashed or checked', passwordHashesWaiting);
  registerDatabaseMetrics(registry, database);
  registerAdmissionMetrics(registry, admission);
  registerLiveMetrics(registry, live);
  return {
    middleware: (request, response, next) => {
      const stop = duration.startTimer();
      response.on('finish', () => {
        // Only paths that we serve become labels: a stranger must not be able to make the registry grow.
        const route = request.route
          ? `${request.baseUrl}${request.route.path}`
          : request.path === '/graphql'
            ? '/graphql'
            : 'other';
        stop({ method: request.method, route, status: response.statusCode });
      });
      next();
    },
    routes: Router().get('/metrics', async (_request, response) => {
      response.type(registry.contentType).send(await registry.metrics());
    }),
  };
}
