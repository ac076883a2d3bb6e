import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { Problem } from '../../http/problem.ts';

/** Milliseconds between two fetches that unknown keys cause. */
const cooldownDuration = 30_000;
/** Milliseconds for which fetched keys are used. */
const cacheMaxAge = 600_000;
/** Milliseconds that a fetch may take. */
const timeoutDuration = 3_000;
/** Milliseconds without fetches after a failed one. */
const pauseAfterFailure = 5_000;

/** The key set is unavailable: the fetch failed, fetching is paused, or the response is not a key set. */
class KeySetUnavailableError extends Error {}

/**
 * Returns a function that finds the public key of an external issuer by the key id in a token's header.
 *
 * It fetches keys when a token needs one, at most as often as the durations above allow. After a failed fetch it pauses:
 * tokens get 503 until the pause ends. It skips malformed keys of the set and uses the others (RFC 7517, section 5).
 *
 * The returned function throws Problem 503 when the key set is unavailable, because the token may be valid. It throws
 * jose's errors when the set has no key for the token.
 *
 * @param url the address of the issuer's JWK set.
 */
export function issuerKeys(url: string, log: Logger): JWTVerifyGetKey {
  let pausedUntil = 0;
  const fetchKeySet: typeof fetch = async (...request) => {
    if (Date.now() < pausedUntil) throw new KeySetUnavailableError('fetching is paused after a failure');
    try {
      const response = await fetch(...request);
      if (response.status !== 200) throw new Error(`the response has status ${response.status}`);
      const { keys } = ((await response.json()) ?? {}) as { keys?: unknown };
      if (!Array.isArray(keys)) throw new Error('the response is not a JWK set');
      const wellFormed = keys.filter(isWellFormed);
      const malformed = keys.length - wellFormed.length;
      if (malformed > 0)
        log.warn({ malformed }, 'keys at AUTH_JWKS_URL are malformed. Tokens that need them are refused.');
      return Response.json({ keys: wellFormed });
    } catch (cause) {
      throw new KeySetUnavailableError('the key set cannot be fetched or read', { cause });
    }
  };
  const options = { cooldownDuration, cacheMaxAge, timeoutDuration, [customFetch]: fetchKeySet };
  const keyFor = createRemoteJWKSet(new URL(url), options);
  return async (header, token) => {
    try {
      return await keyFor(header, token);
    } catch (err) {
      if (!(err instanceof KeySetUnavailableError)) throw err;
      if (Date.now() >= pausedUntil) {
        pausedUntil = Date.now() + pauseAfterFailure;
        log.warn({ err }, 'the keys at AUTH_JWKS_URL cannot be fetched or read');
      }
      throw new Problem(503, 'The keys of the issuer of this token cannot be fetched right now. Try again shortly.', {
        headers: { 'Retry-After': String(pauseAfterFailure / 1000) },
      });
    }
  };
}

/** Tells whether an element of a JWK set is a usable public key. */
function isWellFormed(key: unknown): boolean {
  if (typeof key !== 'object' || key === null) return false;
  try {
    // createPublicKey accepts a private key too. A published private key is compromised, so it must not verify tokens.
    if ('d' in key) return false;
    createPublicKey({ key: key as JsonWebKey, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}
