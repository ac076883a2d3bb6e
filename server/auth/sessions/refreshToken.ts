import { createHash, createHmac, randomBytes } from 'node:crypto';

/**
 * The two parts of a refresh token, 256 random bits each. `family` identifies the session and stays; `secret` changes with
 * each refresh.
 */
export interface RefreshToken {
  readonly family: Buffer;
  readonly secret: Buffer;
}

/** Creates a token of a new family, or the next token of `family`. */
export function newRefreshToken(family: Buffer = randomBytes(32)): RefreshToken {
  return { family, secret: randomBytes(32) };
}

/** Encodes the token for clients: both parts in base64url, separated by a dot. */
export function printRefreshToken({ family, secret }: RefreshToken): string {
  return `${family.toString('base64url')}.${secret.toString('base64url')}`;
}

// 32 bytes leave two bits of the last character unused. They must be zero, so that each token has exactly one encoding.
const part = '([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])';
const printed = new RegExp(`^${part}\\.${part}$`);

/** Parses a token that a client sent; `undefined` if it is not a well-formed refresh token. */
export function parseRefreshToken(token: unknown): RefreshToken | undefined {
  const [, family, secret] = (typeof token === 'string' && printed.exec(token)) || [];
  if (!family || !secret) return undefined;
  return { family: Buffer.from(family, 'base64url'), secret: Buffer.from(secret, 'base64url') };
}

/** Hashes one part of a token. The database stores only this hash. */
export function hashOf(part: Buffer): Buffer {
  return createHash('sha256').update(part).digest();
}

/**
 * Encrypts the successor's secret for storage, and decrypts it: XOR with a key that is derived from `parent`. This is
 * safe because the key is as long as the secret, encrypts only one secret, and is unknown to the database, which has only
 * the hash of `parent`.
 */
export function sealWith(parent: Buffer, secret: Buffer): Buffer {
  const pad = createHmac('sha256', parent).update('hedgerow refresh successor').digest();
  return Buffer.from(secret.map((byte, index) => byte ^ (pad[index] as number)));
}
