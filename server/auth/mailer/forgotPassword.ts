import { Identity } from '../../tenancy/identity.ts';
import { audit } from '../audit.ts';
import type { AuthContext } from '../context.ts';
import type { Origin } from '../origin.ts';
import { newMailToken } from './mailTokens.ts';
import { resetMessage } from './messages.ts';

/**
 * Mails a password reset token to the address, if it belongs to an active account with a password. Everything happens in
 * the background, so the response does not reveal whether it does.
 */
export function sendReset({ database, mailer }: AuthContext, email: string, origin: Origin): void {
  mailer.post(async () => {
    const client = database.as(Identity.signIn);
    const { rows } = await client.query<{ id: string; email: string; resettable: boolean }>({
      name: 'find_resettable',
      text: `select u.id, u.email, c.is_active and c.password_hash is not null and u.email !~ '[.]invalid$' as resettable
        from app_public.users u join app_private.credentials c on c.user_id = u.id where u.email = $1`,
      values: [email],
    });
    const [found] = rows;
    const asked = audit('password_reset_asked', origin, { userId: found?.id });
    if (!found?.resettable) {
      await client.query(asked);
      return undefined;
    }
    const { token, store } = newMailToken('reset password', found);
    await client.transaction(async (transaction) => {
      await transaction.query(store);
      await transaction.query(asked);
    });
    return resetMessage({ to: found.email, token, appUrl: mailer.appUrl });
  });
}
