import { type RequestHandler, Router } from 'express';
import { z } from 'zod';
import { Problem } from '../../http/problem.ts';
import { endExternalTokens } from '../accounts/externalUser.ts';
import { audit } from '../audit.ts';
import { type AuthContext, asAccount, asSignIn, signedInUser } from '../context.ts';
import { checkBody, refreshing } from '../input.ts';
import { originOf } from '../origin.ts';
import { tokenAnswer } from './answer.ts';
import { endSession, endSessions, logout } from './end.ts';
import { listSessions } from './list.ts';
import { refresh, refreshRefused } from './refresh.ts';
import { hashOf, parseRefreshToken } from './refreshToken.ts';

const uuid = z.uuid();

/** A session id that does not exist. */
const noSessionId = '00000000-0000-0000-0000-000000000000';

/** Routes that refresh, end and list sessions. */
export function sessionRoutes(context: AuthContext, signedIn: RequestHandler): Router {
  return Router()
    .post('/refresh', async (request, response) => {
      const token = parseRefreshToken(checkBody(refreshing, request.body).refreshToken);
      if (!token) throw refreshRefused();
      const origin = originOf(request);
      await context.limits.count('refresh', origin, hashOf(token.family).toString('hex'));
      response.json(tokenAnswer(context, await refresh(asSignIn(context, request), token, origin)));
    })
    .post('/logout', async (request, response) => {
      const token = parseRefreshToken(request.body?.refreshToken);
      if (token) {
        const origin = originOf(request);
        await context.limits.count('logout', origin, hashOf(token.family).toString('hex'));
        await logout(asSignIn(context, request), token, origin);
      }
      response.status(204).end();
    })
    .post('/logout-all', signedIn, async (request, response) => {
      const { userId, sessionId } = signedInUser(request);
      await asAccount(context, request).transaction(async (transaction) => {
        await endSessions(transaction);
        await transaction.query(endExternalTokens(userId));
        await transaction.query(audit('logged_out_everywhere', originOf(request), { userId, sessionId }));
      });
      response.status(204).end();
    })
    .get('/sessions', signedIn, async (request, response) => {
      const { sessionId } = signedInUser(request);
      response.json({ sessions: await listSessions(asAccount(context, request, { readOnly: true }), sessionId) });
    })
    .delete('/sessions/:id', signedIn, async (request, response) => {
      const { userId } = signedInUser(request);
      // A malformed id runs the same statement, so that a revoked access token gets 401 and not 404.
      const { data: sessionId = noSessionId } = uuid.safeParse(request.params.id);
      const ended = await endSession(asAccount(context, request), { userId, sessionId }, originOf(request));
      if (!ended) throw new Problem(404, 'You have no active session with this id.');
      response.status(204).end();
    });
}
