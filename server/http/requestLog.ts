import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';

/** Paths of health probes. Their requests get no log lines, because the health route logs when its answer changes. */
const probePaths: ReadonlySet<string> = new Set(['/health', '/health/db']);

declare global {
  namespace Express {
    interface Request {
      /** Id of the request in the log and in the `X-Request-Id` header of the answer. */
      id: string;
    }
  }
}

/** Logged status of a request whose client disconnected before the answer. nginx introduced this code. */
const clientClosedRequest = 499;

/**
 * Logs one line for each request when it ends. Headers, body and query string are left out, because they may contain
 * tokens. Probes get no line. `aborted: true` marks a request whose client disconnected early.
 */
export function requestLog(log: Logger): RequestHandler {
  return (request, response, next) => {
    const start = performance.now();
    request.id = randomUUID();
    response.setHeader('X-Request-Id', request.id);
    response.on('close', () => {
      const { errored, headersSent, statusCode, writableFinished: answered } = response;
      // If the server itself aborts an answer, it destroys the response with an error.
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
