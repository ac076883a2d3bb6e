import { createPrivateKey, createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { PrivateJwk } from './privateKeys.ts';

/** A key with its only algorithm. */
interface Key {
  /** The `kid` in the header of tokens; `undefined` for JWT_SECRET. */
  readonly id: string | undefined;
  readonly algorithm: 'ES256' | 'HS256';
  /** A KeyObject, because jsonwebtoken tries to parse text as PEM each time. */
  readonly signing: KeyObject;
  readonly verifying: KeyObject;
}

/** Keys that sign and verify access tokens, and the claims that tokens must carry. */
export interface Keys {
  /** The key that signs. */
  readonly first: Key;
  /** All keys that verify, by their ids. */
  readonly byId: ReadonlyMap<string | undefined, Key>;
  /** The public keys, for other services that verify these tokens. */
  readonly published: readonly JsonWebKey[];
  readonly issuer: string;
  readonly audience: string;
}

/** Seconds by which the clocks of servers may differ. */
export const leeway = 5;

/**
 * Builds the keys from the configuration. The first of `privateKeys` signs, or `jwtSecret` if there are none. All keys
 * verify.
 *
 * @throws TypeError when there is no key.
 */
export function keysOf({
  jwtSecret,
  privateKeys = [],
}: {
  readonly jwtSecret?: string | undefined;
  readonly privateKeys?: readonly PrivateJwk[] | undefined;
}): Keys {
  const keys = [...privateKeys.map(keyOfPair), ...(jwtSecret === undefined ? [] : [keyOfSecret(jwtSecret)])];
  const [first] = keys;
  if (!first) throw new TypeError('There is no key to sign with. Set JWT_SECRET or JWT_PRIVATE_KEYS.');
  return {
    first,
    byId: new Map(keys.map((key) => [key.id, key])),
    published: keys.filter(({ algorithm }) => algorithm === 'ES256').map(publish),
    issuer: 'hedgerow',
    audience: 'hedgerow',
  };
}

function keyOfSecret(secret: string): Key {
  const key = createSecretKey(secret, 'utf8');
  return { id: undefined, algorithm: 'HS256', signing: key, verifying: key };
}

function keyOfPair({ kid, ...key }: PrivateJwk): Key {
  const signing = createPrivateKey({ key, format: 'jwk' });
  return { id: kid, algorithm: 'ES256', signing, verifying: createPublicKey(signing) };
}

function publish({ id, algorithm, verifying }: Key): JsonWebKey {
  return { ...verifying.export({ format: 'jwk' }), kid: id, alg: algorithm, use: 'sig' };
}
