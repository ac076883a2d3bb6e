import { type Request, type RequestHandler, Router } from 'express';
import { type Database, IdentityRefusedError } from '../database/database.ts';
import { Identity } from '../database/identity.ts';
import { login, register, type SignIn } from './accounts.ts';
import { checkBody, credentials, registration } from './input.ts';
import { unauthenticated } from './problem.ts';
import { accessTokenLifetime, signAccessToken, type TokenSettings } from './tokens.ts';

/** The routes below `/auth`. */
export function authRoutes(database: Database, tokens: TokenSettings, signedIn: RequestHandler): Router {
  const answer = ({ user, sessionId, refreshToken }: SignIn) => ({
    user,
    accessToken: signAccessToken(tokens, user.id, sessionId),
    tokenType: 'Bearer',
    expiresIn: accessTokenLifetime,
    refreshToken,
  });
  const signIn = ({ cancellation }: Request) => database.as(Identity.signIn, { cancellation });
  return Router()
    .post('/register', async (request, response) => {
      response.status(201).json(answer(await register(signIn(request), checkBody(registration, request.body))));
    })
    .post('/login', async (request, response) => {
      response.json(answer(await login(signIn(request), checkBody(credentials, request.body))));
    })
    .get('/me', signedIn, async (request, response) => {
      response.json(await me(database, request));
    });
}

async function me(database: Database, { user, cancellation }: Request): Promise<unknown> {
  try {
    const { rows } = await database.as((user as Express.User).identity, { cancellation, readOnly: true }).query({
      name: 'me',
      text: 'select id, email, username, created_at as "createdAt" from app_public.users where id = app_public.current_user_id()',
    });
    return rows[0];
  } catch (error) {
    throw error instanceof IdentityRefusedError ? unauthenticated() : error;
  }
}
