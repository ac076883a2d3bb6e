import { type RequestHandler, Router } from 'express';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** Adds the metrics of one part of the server to the registry. */
export type RegisterMetrics = (registry: Registry) => void;

/** Creates the metrics at `/metrics` for Prometheus: of Node, of requests, and those that `parts` add. */
export function createMetrics(parts: readonly RegisterMetrics[]): { middleware: RequestHandler; routes: Router } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time to answer a request, by route and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  for (const register of parts) register(registry);
  return {
    middleware: (request, response, next) => {
      const stop = duration.startTimer();
      response.on('finish', () => {
        // Only known routes become labels. Otherwise requests with random paths could grow the registry.
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
