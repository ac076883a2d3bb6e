import { type RequestHandler, Router } from 'express';
import { type AuthContext, asSignIn, signedInUser } from '../context.ts';
import { checkBody, confirmation, credentials, passwordChange, registration } from '../input.ts';
import { sendVerification } from '../mailer/verifyEmail.ts';
import { originOf } from '../origin.ts';
import { refuseWhenFull } from '../passwords/queue.ts';
import { tokenAnswer } from '../sessions/answer.ts';
import { changePassword } from './changePassword.ts';
import { deactivate } from './deactivate.ts';
import { deleteAccount } from './deleteAccount.ts';
import { login } from './login.ts';
import { register } from './register.ts';

/** Routes for registration, login and the user's own account. */
export function accountRoutes(context: AuthContext, signedIn: RequestHandler): Router {
  const { database, limits } = context;
  return Router()
    .post('/register', async (request, response) => {
      const input = checkBody(registration, request.body);
      refuseWhenFull();
      const origin = originOf(request);
      await limits.count('register', origin, input.email);
      const signIn = await register(asSignIn(context, request), input, origin, request.cancellation);
      sendVerification(context, signIn.user);
      response.status(201).json(tokenAnswer(context, signIn));
    })
    .post('/login', async (request, response) => {
      const input = checkBody(credentials, request.body);
      refuseWhenFull();
      const origin = originOf(request);
      await limits.count('login', origin, input.email);
      const signIn = await login(asSignIn(context, request), input, origin, request.cancellation);
      await limits.forgive('login', origin, input.email);
      response.json(tokenAnswer(context, signIn));
    })
    .get('/me', signedIn, async (request, response) => {
      const { cancellation } = request;
      const { rows } = await database.as(signedInUser(request).identity, { cancellation, readOnly: true }).query({
        name: 'me',
        text: 'select id, email, username, created_at as "createdAt" from app_public.users where id = app_public.current_user_id()',
      });
      response.json(rows[0]);
    })
    .delete('/me', signedIn, async (request, response) => {
      const { password } = checkBody(confirmation, request.body);
      await deleteAccount(context, request, password);
      response.status(204).end();
    })
    .post('/password', signedIn, async (request, response) => {
      await changePassword(context, request, checkBody(passwordChange, request.body));
      response.status(204).end();
    })
    .post('/deactivate', signedIn, async (request, response) => {
      const { password } = checkBody(confirmation, request.body);
      await deactivate(context, request, password);
      response.status(204).end();
    });
}
