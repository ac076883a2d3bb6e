import { Router } from 'express';
import type { Logger } from 'pino';
import { CancelledError } from '../../postgres/cancellation.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import type { Readiness } from './readiness.ts';

/**
 * Routes for health probes. `/health` answers while the process is alive. `/health/db` answers 200 if the server can serve
 * requests, and otherwise 503 with the reasons.
 *
 * The log gets a line when the reasons of `/health/db` change, and not for each probe.
 */
export function health(readiness: Readiness, log: Logger): Router {
  let logged = '';
  /** Logs `reasons`, unless the previous probe had the same reasons. */
  const note = (reasons: readonly string[], fault: object = {}) => {
    const now = reasons.join('\n');
    if (now === logged) return;
    if (now === '') log.info('ready to serve again');
    else log.warn({ ...fault, reasons }, 'not ready to serve');
    logged = now;
  };
  return Router()
    .get('/health', (_request, response) => {
      response.json({ status: 'ok' });
    })
    .get('/health/db', async ({ cancellation }, response) => {
      try {
        const { reasons, advice } = await cancellation.race(
          () => readiness.recentReport(),
          () => {},
        );
        note(reasons);
        const ready = reasons.length === 0;
        response.status(ready ? 200 : 503).json({ status: ready ? 'ok' : 'unavailable', reasons, advice });
      } catch (error) {
        // The probe has disconnected, which proves nothing about the database.
        if (error instanceof CancelledError && error.reason === 'client gone') return;
        const fault = faultOf(error);
        note([`the database did not answer: ${fault.cause}`], { err: error, ...fault });
        response.status(503).json({ status: 'unavailable', reasons: ['the database does not answer'], advice: [] });
      }
    });
}

/** Returns why the database did not answer, for the log. */
function faultOf(error: unknown): { cause: string; advice?: string } {
  if (error instanceof CancelledError) {
    return {
      cause: 'no answer in time',
      advice: 'Look for locks, and for statements that keep every connection busy.',
    };
  }
  const { cause, advice } = connectionFault(error) ?? {};
  if (cause !== undefined && advice !== undefined) return { cause, advice };
  const { code } = error as { code?: string };
  return { cause: code === undefined ? 'an unexpected error' : `an error with code ${code}` };
}
