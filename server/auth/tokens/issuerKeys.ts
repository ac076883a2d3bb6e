import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { Problem } from '../../http/problem.ts';

/** Milliseconds between two fetches for keys that are not known, and for which fetched keys are used. */
const cooldownDuration = 30_000;
const cacheMaxAge = 600_000;
/** Milliseconds that a fetch may take, and for which an endpoint that failed is left alone. */
const timeoutDuration = 3_000;
const rest = 5_000;

/** There is no key set: the endpoint is away, rests, or its answer is none. */
class KeySetUnavailableError extends Error {}

/**
 * Another issuer's public keys, by the ids in the headers of its tokens. Tokens cannot make it fetch more often than
 * the times above allow. A malformed key of the set is as good as absent, and the others serve on (RFC 7517, 5).
 *
 * @throws Problem 503 when a key is needed and there is no key set: the token may be fine. jose's errors when the set
 *   has no key for the token.
 */
export function issuerKeys(url: string, log: Logger): JWTVerifyGetKey {
  let restUntil = 0;
  const fetchKeySet: typeof fetch = async (...request) => {
    if (Date.now() < restUntil) throw new KeySetUnavailableError('the endpoint is left alone for a while');
    try {
      const response = await fetch(...request);
      if (response.status !== 200) throw new Error(`the answer has status ${response.status}`);
      const { keys } = ((await response.json()) ?? {}) as { keys?: unknown };
      if (!Array.isArray(keys)) throw new Error('the answer is no JWK set');
      const wellFormed = keys.filter(isWellFormed);
      const malformed = keys.length - wellFormed.length;
      if (malformed > 0)
        log.warn({ malformed }, 'keys at AUTH_JWKS_URL are malformed, and tokens that need them are refused');
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
      if (Date.now() >= restUntil) {
        restUntil = Date.now() + rest;
        log.warn({ err }, 'the keys at AUTH_JWKS_URL cannot be fetched or read');
      }
      throw new Problem(503, 'The keys of the issuer of this token cannot be fetched right now. Try again shortly.', {
        headers: { 'Retry-After': String(rest / 1000) },
      });
    }
  };
}

/** Whether an element of a JWK set is a public key that can be used. */
function isWellFormed(key: unknown): boolean {
  if (typeof key !== 'object' || key === null) return false;
  try {
    // Of a private key this would make the public one; an issuer that publishes its private key has none any more.
    if ('d' in key) return false;
    createPublicKey({ key: key as JsonWebKey, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}
