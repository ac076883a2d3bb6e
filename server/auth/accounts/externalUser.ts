import { randomBytes } from 'node:crypto';
import type { Statement } from '../../../postgres/statement.ts';
import type { ExternalToken } from '../../tenancy/identity.ts';
import type { IdentifiedClient, Transaction } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import * as input from '../input.ts';
import type { Origin } from '../origin.ts';
import type { ExternalClaims } from '../tokens/externalIssuer.ts';

/** Under whom the issuer's subject is known here, and whether a token from then may say so. */
interface Known {
  readonly user_id: string | null;
  readonly welcome: boolean;
}

const find = (lock: '' | 'for update', { issuer, subject, issuedAt }: ExternalToken): Statement => ({
  name: `external_user${lock && '_locked'}`,
  text: `select user_id, not_before < to_timestamp($3) as welcome
    from app_private.external_identities where issuer = $1 and subject = $2 ${lock}`,
  values: [issuer, subject, issuedAt],
});

/**
 * The id of the user whom a verified token of another issuer names; the account is made when it is seen for the first
 * time. Undefined when the token is from before that user was deleted. No account is ever found by its address: anyone who
 * got the issuer to name it would have the account.
 *
 * @param client as sign-in.
 */
export async function externalUser(
  client: IdentifiedClient,
  { token, profile }: ExternalClaims,
  origin: Origin,
): Promise<string | undefined> {
  const { rows } = await client.query<Known>(find('', token));
  if (rows[0]?.user_id) return rows[0].user_id;
  return client.transaction(async (transaction) => {
    const { issuer, subject } = token;
    // Of requests that come at once, one makes the account while the others wait here.
    await transaction.query({
      text: 'insert into app_private.external_identities (issuer, subject) values ($1, $2) on conflict do nothing',
      values: [issuer, subject],
    });
    const { rows } = await transaction.query<Known>(find('for update', token));
    const { user_id, welcome } = rows[0] as Known;
    if (user_id !== null || !welcome) return user_id ?? undefined;
    const userId = await createUser(transaction, profile);
    await transaction.query({
      text: 'update app_private.external_identities set user_id = $3 where issuer = $1 and subject = $2',
      values: [issuer, subject, userId],
    });
    await transaction.query(audit('registered', origin, { userId }));
    return userId;
  });
}

/** Refuses the tokens of other issuers that the user has. For the user's own transaction. */
export function endExternalTokens(userId: string): Statement {
  return {
    name: 'end_external_tokens',
    text: 'update app_private.external_identities set not_before = now() where user_id = $1',
    values: [userId],
  };
}

/** A user without a password, with the name and the verified address of the profile where they fit and are free. */
async function createUser(transaction: Transaction, profile: ExternalClaims['profile']): Promise<string> {
  const email = profile.email_verified === true ? input.email.safeParse(profile.email).data : undefined;
  const names = [profile.preferred_username, profile.nickname];
  const username = names.find((name) => input.username.safeParse(name).success);
  // `.invalid` is nobody's (RFC 2606), so that no mail can ever reach a stranger.
  const values = [
    ...[email ?? null, `${randomBytes(16).toString('hex')}@users.invalid`],
    ...[username ?? null, `user-${randomBytes(6).toString('hex')}`],
  ];
  const insert = async () => {
    const { rows } = await transaction.query<{ id: string; verified: boolean }>({
      text: `insert into app_public.users (email, username) select
          case when exists (select from app_public.users where email = $1) then $2 else coalesce($1, $2) end,
          case when exists (select from app_public.users where lower(username) = lower($3)) then $4
            else coalesce($3, $4) end
        on conflict do nothing returning id, email = $1 as verified`,
      values,
    });
    return rows[0];
  };
  // None where somebody took the name, then the address, between the look and the insert.
  const user = (await insert()) ?? (await insert()) ?? (await insert());
  if (!user) throw new Error('no free name was found for a new user');
  if (user.verified) {
    await transaction.query({
      text: 'update app_public.users set email_verified_at = now() where id = $1',
      values: [user.id],
    });
  }
  await transaction.query({
    text: 'insert into app_private.credentials (user_id) values ($1)',
    values: [user.id],
  });
  return user.id;
}
