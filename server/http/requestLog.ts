import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import { serializeError } from './log.ts';

/** One line for each answered request, with an id that the client gets as `X-Request-Id`. Headers are not logged. */
export function requestLog(log: Logger): RequestHandler {
  return pinoHttp({
    logger: log,
    genReqId: (_request, response) => {
      const id = randomUUID();
      response.setHeader('X-Request-Id', id);
      return id;
    },
    customLogLevel: (_request, response, error) => (error || response.statusCode >= 500 ? 'error' : 'info'),
    autoLogging: { ignore: (request) => request.url === '/health' },
    // The log's own serializers, and not pino-http's around them: those would copy all that an error holds.
    wrapSerializers: false,
    serializers: {
      // Without the query string, where people put tokens.
      req: ({ id, method, url, socket }: IncomingMessage & { id: string }) => ({
        id,
        method,
        path: url?.split('?', 1)[0],
        remoteAddress: socket.remoteAddress,
      }),
      res: ({ statusCode }: ServerResponse) => ({ statusCode }),
      err: serializeError,
    },
  });
}
