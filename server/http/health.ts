import { Router } from 'express';
import type { Logger } from 'pino';
import type { Readiness } from '../database/readiness.ts';

/** `/health`: the process lives. `/health/db`: it can do its work; otherwise 503 and the reason. */
export function health(readiness: Readiness, log: Logger): Router {
  return Router()
    .get('/health', (_request, response) => {
      response.json({ status: 'ok' });
    })
    .get('/health/db', async ({ cancellation }, response) => {
      try {
        const reasons = await readiness.reasonsNotToServe(cancellation);
        response
          .status(reasons.length === 0 ? 200 : 503)
          .json({ status: reasons.length === 0 ? 'ok' : 'unavailable', reasons });
      } catch (error) {
        log.warn({ err: error }, 'the database did not answer');
        response.status(503).json({ status: 'unavailable', reasons: ['the database does not answer'] });
      }
    });
}
