import { randomBytes } from 'node:crypto';
import type { Statement } from '../../../postgres/statement.ts';
import type { ExternalToken } from '../../tenancy/identity.ts';
import type { IdentifiedClient, Transaction } from '../../tenancy/tenantDatabase.ts';
import { audit } from '../audit.ts';
import * as input from '../input.ts';
import type { Origin } from '../origin.ts';
import type { ExternalClaims } from '../tokens/externalIssuer.ts';

interface ExternalIdentity {
  /** The user of the issuer's subject. `null` before the account is created, and after it is deleted. */
  readonly user_id: string | null;
  /** The token was issued after the last revocation of the user's external tokens. */
  readonly accepted: boolean;
}

const findIdentity = (lock: '' | 'for update', { issuer, subject, issuedAt }: ExternalToken): Statement => ({
  name: `external_user${lock && '_locked'}`,
  text: `select user_id, not_before < to_timestamp($3) as accepted
    from app_private.external_identities where issuer = $1 and subject = $2 ${lock}`,
  values: [issuer, subject, issuedAt],
});

/**
 * Finds the user of a verified token of an external issuer. Creates the account when the issuer's subject is new.
 *
 * The email address never selects an account. Otherwise, an issuer that asserts another person's address would give away
 * that person's account.
 *
 * @param client runs SQL as sign-in.
 * @returns the user's id; `undefined` when the token was issued before that user was deleted.
 */
export async function externalUser(
  client: IdentifiedClient,
  { token, profile }: ExternalClaims,
  origin: Origin,
): Promise<string | undefined> {
  const { rows } = await client.query<ExternalIdentity>(findIdentity('', token));
  if (rows[0]?.user_id) return rows[0].user_id;
  return client.transaction(async (transaction) => {
    const { issuer, subject } = token;
    // One of several concurrent requests creates the account. The others wait here.
    await transaction.query({
      text: 'insert into app_private.external_identities (issuer, subject) values ($1, $2) on conflict do nothing',
      values: [issuer, subject],
    });
    const { rows } = await transaction.query<ExternalIdentity>(findIdentity('for update', token));
    const { user_id, accepted } = rows[0] as ExternalIdentity;
    if (user_id !== null || !accepted) return user_id ?? undefined;
    const userId = await createUser(transaction, profile);
    await transaction.query({
      text: 'update app_private.external_identities set user_id = $3 where issuer = $1 and subject = $2',
      values: [issuer, subject, userId],
    });
    await transaction.query(audit('registered', origin, { userId }));
    return userId;
  });
}

/** Builds the statement that revokes the user's external tokens. Runs in the user's own transaction. */
export function endExternalTokens(userId: string): Statement {
  return {
    name: 'end_external_tokens',
    text: 'update app_private.external_identities set not_before = now() where user_id = $1',
    values: [userId],
  };
}

/**
 * Creates a user without a password. Takes the name and the verified address of the profile if they are valid and free;
 * generates them otherwise.
 */
async function createUser(transaction: Transaction, profile: ExternalClaims['profile']): Promise<string> {
  const email = profile.email_verified === true ? input.email.safeParse(profile.email).data : undefined;
  const names = [profile.preferred_username, profile.nickname];
  const username = names.find((name) => input.username.safeParse(name).success);
  // The domain `.invalid` is reserved (RFC 2606), so mail to a generated address cannot reach anyone.
  const generatedEmail = `${randomBytes(16).toString('hex')}@users.invalid`;
  const generatedName = `user-${randomBytes(6).toString('hex')}`;
  const values = [email ?? null, generatedEmail, username ?? null, generatedName];
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
  // An attempt inserts no row when a concurrent insert takes the name or the address. Each can fail one attempt.
  const user = (await insert()) ?? (await insert()) ?? (await insert());
  if (!user) throw new Error('could not find a free name and address for a new user');
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
