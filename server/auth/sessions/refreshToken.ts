import { createHash, createHmac, randomBytes } from 'node:crypto';

/** The two parts of a refresh token, 256 random bits each: one names the family and stays, one changes with each use. */
export interface RefreshToken {
  readonly family: Buffer;
  readonly secret: Buffer;
}

/** A token of a new family, or the next one of `family`. */
export function newRefreshToken(family: Buffer = randomBytes(32)): RefreshToken {
  return { family, secret: randomBytes(32) };
}

/** The token as clients hold it. */
export function printRefreshToken({ family, secret }: RefreshToken): string {
  return `${family.toString('base64url')}.${secret.toString('base64url')}`;
}

// 32 bytes leave two bits of the last character unused. They are zero, so that a token is written in one way only.
const part = '([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])';
const printed = new RegExp(`^${part}\\.${part}$`);

/** The parts of what a client sent; undefined where it cannot be a refresh token. */
export function parseRefreshToken(token: unknown): RefreshToken | undefined {
  const [, family, secret] = (typeof token === 'string' && printed.exec(token)) || [];
  if (!family || !secret) return undefined;
  return { family: Buffer.from(family, 'base64url'), secret: Buffer.from(secret, 'base64url') };
}

/** The stored hash of a token part. */
export function hashOf(part: Buffer): Buffer {
  return createHash('sha256').update(part).digest();
}

/**
 * The secret that follows `parent`'s, as it may be stored; and from that, the secret again. The key is used once, for as
 * many bits as it has, and comes from the parent, of which the database has only the hash.
 */
export function sealWith(parent: Buffer, secret: Buffer): Buffer {
  const pad = createHmac('sha256', parent).update('hedgerow refresh successor').digest();
  return Buffer.from(secret.map((byte, index) => byte ^ (pad[index] as number)));
}
