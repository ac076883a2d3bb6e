import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';

declare global {
  namespace Express {
    interface Request {
      /** In the log, and in the answer's `X-Request-Id`. */
      id: string;
    }
  }
}

/** One line for each request once it has ended: no headers, no body, and no query string, where people put tokens. */
export function requestLog(log: Logger): RequestHandler {
  return (request, response, next) => {
    const start = performance.now();
    request.id = randomUUID();
    response.setHeader('X-Request-Id', request.id);
    response.on('close', () => {
      const { statusCode, writableFinished: answered } = response;
      const level = statusCode >= 500 ? 'error' : 'info';
      const path = request.originalUrl.split('?', 1)[0];
      if (!log.isLevelEnabled(level) || path === '/health') return;
      const { id, method, ip } = request;
      const milliseconds = Math.round((performance.now() - start) * 10) / 10;
      log[level]({ id, method, path, ip, status: statusCode, answered, milliseconds }, 'request');
    });
    next();
  };
}
