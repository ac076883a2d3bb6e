import type { Logger } from 'pino';
import { Identity } from '../../tenancy/identity.ts';
import { externalUser } from '../accounts/externalUser.ts';
import { type AuthContext, asSignIn } from '../context.ts';
import type { TrustedIssuer } from './bearer.ts';
import { type ExternalClaims, type ExternalIssuer, issuedBy, verifyExternal } from './externalIssuer.ts';
import { issuerKeys } from './issuerKeys.ts';
import { type RefusalLog, TokenRefusedError } from './refusals.ts';

/** Accepts tokens of an external issuer. A query finds the user, once for each remembered token. */
export function externalTokens(
  context: AuthContext,
  issuer: ExternalIssuer,
  log: Logger,
  refusals: RefusalLog,
): TrustedIssuer {
  const keys = issuerKeys(issuer.jwksUrl, log);
  return {
    issued: (token) => issuedBy(issuer, token),
    async authenticate(token, { cancellation, origin }) {
      try {
        const claims = await verifyExternal(issuer, keys, token);
        const userId = await externalUser(asSignIn(context, { cancellation }), claims, origin());
        if (userId === undefined) throw new TokenRefusedError('revoked');
        return signedIn(userId, claims);
      } catch (error) {
        if (!(error instanceof TokenRefusedError)) throw error;
        refusals.note('external', error);
        return undefined;
      }
    },
  };
}

function signedIn(userId: string, { token, issuedAt, expires }: ExternalClaims): Express.User {
  return {
    identity: Identity.externalTenant(userId, token),
    account: Identity.externalAccount(userId, token),
    userId,
    sessionId: undefined,
    organizationId: undefined,
    issuedAt: issuedAt * 1000,
    expires: expires * 1000,
  };
}
