import { generateKeyPairSync } from 'node:crypto';
import type { PrivateJwk } from '../../server/auth/tokens/privateKeys.ts';

/** Creates an ES256 key in the format of JWT_PRIVATE_KEYS. */
export function signingKey(kid: string): PrivateJwk {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...(privateKey.export({ format: 'jwk' }) as Omit<PrivateJwk, 'kid' | 'alg'>), kid, alg: 'ES256' };
}
