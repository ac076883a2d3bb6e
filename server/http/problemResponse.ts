import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import pg from 'pg';
import type { Logger } from 'pino';
import { CancelledError } from '../../postgres/cancellation.ts';
import { isUnavailable } from '../../postgres/connectionErrors.ts';
import { Problem } from './problem.ts';

/** Answers 404 for a path without a route. */
export const notFound: RequestHandler = (request, _response, next) => {
  next(new Problem(404, `The server has no route ${request.method} ${request.path}.`));
};

/** Answers an error of a route as problem+json. Logs unexpected errors instead of sending their details to the client. */
export function problem(log: Logger): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const known = toProblem(error);
    // The request's log line suffices for intended problems and for clients that disconnected.
    const expected = error instanceof Problem || (error instanceof CancelledError && error.reason === 'client gone');
    if (known.status >= 500 && !expected) log.error({ err: error, id: request.id }, 'request failed');
    // The status has been sent. Closing the connection shows the client that the answer is incomplete.
    if (response.headersSent) response.destroy(error);
    else sendProblem(response, known, request.originalUrl.split('?', 1)[0] === '/graphql');
  };
}

/** SQLSTATEs of a lock timeout, a statement timeout and a deadlock. */
const tooSlow = new Set(['55P03', '57014', '40P01']);

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof CancelledError || (error instanceof pg.DatabaseError && tooSlow.has(error.code ?? ''))) {
    return new Problem(503, 'The request took too long. Try again shortly.', { headers: { 'Retry-After': '1' } });
  }
  if (isUnavailable(error)) {
    return new Problem(503, 'The database cannot be reached right now. Try again shortly.', {
      headers: { 'Retry-After': '1' },
    });
  }
  // Errors of body-parser: `type` names the fault, and `status` is the HTTP status for the client.
  const { status, type } = error as { status?: number; type?: string };
  if (type === 'entity.too.large') return new Problem(413, 'The body is larger than 100 kB.');
  if (type === 'entity.parse.failed') return new Problem(400, 'The body is not valid JSON.');
  if (status !== undefined && status >= 400 && status < 500)
    return new Problem(status, STATUS_CODES[status] ?? 'Bad request');
  return new Problem(500, 'Something went wrong on our side.');
}

/** Sends a problem. A GraphQL client gets the same problem with GraphQL's `errors`, each with a message and a code. */
function sendProblem(response: Response, { status, message, errors, headers }: Problem, graphql: boolean): void {
  const code =
    status === 401
      ? 'UNAUTHENTICATED'
      : status === 403
        ? 'FORBIDDEN'
        : status === 503 || status === 429
          ? 'UNAVAILABLE'
          : status < 500
            ? 'BAD_USER_INPUT'
            : 'INTERNAL';
  response
    .status(status)
    .set(headers)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: 'about:blank',
        title: STATUS_CODES[status],
        status,
        detail: message,
        errors: graphql ? [{ message, extensions: { code } }] : errors,
      }),
    );
}
