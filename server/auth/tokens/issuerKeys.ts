import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import type { Logger } from 'pino';
import { Problem } from '../problem.ts';

/** Milliseconds between two fetches for keys that are not known, and for which fetched keys are used. */
const cooldownDuration = 30_000;
const cacheMaxAge = 600_000;
/** Milliseconds that a fetch may take, and for which an endpoint that failed is left alone. */
const timeoutDuration = 3_000;
const rest = 5_000;

const noSuchKey: readonly unknown[] = [errors.JWKSNoMatchingKey.code, errors.JWKSMultipleMatchingKeys.code];

/**
 * Another issuer's public keys, by the ids in the headers of its tokens. Tokens cannot make it fetch more often than
 * the times above allow.
 *
 * @throws Problem 503 when a key is needed and the endpoint is away or answers garbage: the token may be fine.
 */
export function issuerKeys(url: string, log: Logger): JWTVerifyGetKey {
  let restUntil = 0;
  const fetchUnlessResting: typeof fetch = async (...request) => {
    if (Date.now() < restUntil) throw new Error('the endpoint is left alone for a while');
    return fetch(...request);
  };
  const options = { cooldownDuration, cacheMaxAge, timeoutDuration, [customFetch]: fetchUnlessResting };
  const keyFor = createRemoteJWKSet(new URL(url), options);
  return async (header, token) => {
    try {
      return await keyFor(header, token);
    } catch (err) {
      if (noSuchKey.includes((err as { code?: unknown }).code)) throw err;
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
