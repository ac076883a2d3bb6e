import { generateKeyPairSync } from 'node:crypto';
import type { PrivateJwk } from '../../server/auth/tokens/privateKeys.ts';

/** A new key for ES256, as JWT_PRIVATE_KEYS holds it. */
export function signingKey(kid: string): PrivateJwk {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...(privateKey.export({ format: 'jwk' }) as Omit<PrivateJwk, 'kid' | 'alg'>), kid, alg: 'ES256' };
}
