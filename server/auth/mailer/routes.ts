import { type RequestHandler, Router } from 'express';
import { z } from 'zod';
import { Problem } from '../../http/problem.ts';
import { type AuthContext, asAccount, asSignIn } from '../context.ts';
import { checkBody, email, newPassword } from '../input.ts';
import { originOf } from '../origin.ts';
import { sendReset } from './forgotPassword.ts';
import { mailToken } from './mailTokens.ts';
import { resetPassword } from './resetPassword.ts';
import { sendVerification, verifyEmail } from './verifyEmail.ts';

const resetRequest = z.object({ email });
const reset = z.object({ token: mailToken, newPassword: newPassword('newPassword') });
const verification = z.object({ token: mailToken });

/** Routes for password resets and for verification of mail addresses. */
export function mailRoutes(context: AuthContext, signedIn: RequestHandler): Router {
  const { limits, mailer } = context;
  return Router()
    .post('/password/forgot', async (request, response) => {
      const { email } = checkBody(resetRequest, request.body);
      const origin = originOf(request);
      requireMail(mailer.available);
      await limits.count('mail', origin, email);
      sendReset(context, email, origin);
      response.status(202).json({});
    })
    .post('/password/reset', async (request, response) => {
      const input = checkBody(reset, request.body);
      const origin = originOf(request);
      await limits.count('password', origin);
      await resetPassword(asSignIn(context, request), input, origin, request.cancellation);
      response.status(204).end();
    })
    .post('/email/send', signedIn, async (request, response) => {
      const { rows } = await asAccount(context, request).query<{ id: string; email: string; verified: boolean }>({
        name: 'address',
        text: `select id, email, email_verified_at is not null as verified from app_public.users
          where id = app_public.current_user_id()`,
      });
      const user = rows[0] as (typeof rows)[0];
      requireMail(mailer.available);
      await limits.count('mail', originOf(request), user.email);
      if (!user.verified) sendVerification(context, user);
      response.status(202).json({});
    })
    .post('/email/verify', async (request, response) => {
      const { token } = checkBody(verification, request.body);
      await verifyEmail(asSignIn(context, request), token, originOf(request));
      response.status(204).end();
    });
}

/** @throws Problem 503 if no mail can be sent. */
export function requireMail(available: boolean): void {
  if (!available) throw new Problem(503, 'This server does not send mail.');
}
