import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';

/** Paths of health probes. Their requests have no log lines: the health route logs when its answer changes. */
const probePaths: ReadonlySet<string> = new Set(['/health', '/health/db']);

declare global {
  namespace Express {
    interface Request {
      /** In the log, and in the answer's `X-Request-Id`. */
      id: string;
    }
  }
}

/** Status in the log of a request whose client left before there was an answer. nginx has introduced it. */
const clientClosedRequest = 499;

/**
 * Logs one line for each request once it has ended: no headers, no body, and no query string, where people put tokens.
 * Probes get no line. A request whose client left early has `aborted: true`.
 */
export function requestLog(log: Logger): RequestHandler {
  return (request, response, next) => {
    const start = performance.now();
    request.id = randomUUID();
    response.setHeader('X-Request-Id', request.id);
    response.on('close', () => {
      const { errored, headersSent, statusCode, writableFinished: answered } = response;
      // An answer that the server breaks off itself is destroyed with an error.
      const aborted = !answered && errored === null;
      const level = statusCode >= 500 || errored !== null ? 'error' : 'info';
      const path = request.originalUrl.split('?', 1)[0] ?? '';
      if (!log.isLevelEnabled(level) || probePaths.has(path)) return;
      const { id, method, ip } = request;
      const milliseconds = Math.round((performance.now() - start) * 10) / 10;
      const status = aborted && !headersSent ? clientClosedRequest : statusCode;
      const line = { id, method, path, ip, status, answered, milliseconds };
      if (aborted) log[level]({ ...line, aborted }, 'request aborted by the client');
      else log[level](line, 'request');
    });
    next();
  };
}
