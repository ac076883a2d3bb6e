import type { Request, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { Problem } from '../http/problem.ts';
import '../http/turn.ts';
import { type Admission, RefusedError, type Turn } from './admission.ts';

/** Milliseconds before a refusal is sent, so that a client that retries at once costs no more than one that waits. */
const refusalDelay = 1000;

/** Maximum of delayed refusals. Further ones are sent at once, and close their connections. */
const maxDelayedRefusals = 1000;

/** Milliseconds between two log lines about the same tenant. */
const reportInterval = 60_000;

/**
 * Middleware that holds a signed-in user's request until its tenant's turn, and ends the turn with the answer. Mount it
 * after the middleware that sets `request.user`.
 *
 * Answers 429 with `Retry-After` if too many requests of the tenant wait.
 */
export function admit(admission: Admission, log: Logger): RequestHandler {
  const report = reporter(log);
  let refusals = 0;

  const refuse = (error: RefusedError, request: Request, response: Response, next: (error: unknown) => void) => {
    report(request, error);
    const problem = new Problem(429, 'Too many requests of this account are waiting. Send fewer at a time.', {
      headers: { 'Retry-After': '1' },
    });
    if (error.reason === 'deadline') return next(problem);
    if (refusals >= maxDelayedRefusals) {
      response.setHeader('Connection', 'close');
      return next(problem);
    }
    refusals++;
    // Free the body during the delay.
    request.body = undefined;
    const timer = setTimeout(next, refusalDelay, problem);
    response.once('close', () => {
      clearTimeout(timer);
      refusals--;
    });
  };

  return (request, response, next) => {
    const { userId } = request.user as Express.User;
    const proceed = (turn: Turn) => {
      if (response.closed) return turn.end();
      request.turn = turn;
      response.on('prefinish', () => turn.sending()).on('close', () => turn.end());
      next();
    };
    const turn = admission.tryEnter(userId);
    if (turn) return proceed(turn);
    admission.enter(userId, { cancellation: request.cancellation }).then(proceed, (error) => {
      if (error instanceof RefusedError) refuse(error, request, response, next);
      else next(error);
    });
  };
}

/** Logs refused requests, once a minute for each tenant. */
function reporter(log: Logger): (request: Request, error: RefusedError) => void {
  const reported = new Map<string, number>();
  return ({ user, ip }, { reason }) => {
    const { userId } = user as Express.User;
    const now = performance.now();
    for (const [id, at] of reported) {
      if (now - at < reportInterval) break;
      reported.delete(id);
    }
    if (reported.has(userId)) return;
    reported.set(userId, now);
    const advice =
      'The tenant sends more concurrent requests than its limit allows. See "Limits of a tenant" in docs/operator.md.';
    log.warn({ userId, ip, reason, advice }, 'requests of a tenant are refused');
  };
}
