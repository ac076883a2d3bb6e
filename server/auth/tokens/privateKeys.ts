import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { parseJson } from '../../../common/parseJson.ts';

const base64urlNumber = z.base64url('must be base64url');

const privateJwk = z
  .object({
    kty: z.literal('EC', 'must be EC'),
    crv: z.literal('P-256', 'must be P-256'),
    x: base64urlNumber,
    y: base64urlNumber,
    d: base64urlNumber,
    kid: z.string('must be text').regex(/^[!-~]{1,100}$/, 'must have 1 to 100 printable ASCII characters'),
    alg: z.literal('ES256', 'must be ES256').default('ES256'),
  })
  .refine(isPair, 'is not a key: x and y do not belong to d');

const jwkSet = z.object({
  keys: z
    .array(privateJwk, 'must be a list')
    .min(1, 'must not be empty')
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, 'must not have the same kid twice'),
});

/** A private key for ES256, as a JSON Web Key (RFC 7517). */
export type PrivateJwk = z.infer<typeof privateJwk>;

/** Parses the value of JWT_PRIVATE_KEYS, a JWK set as text, into its keys. Messages about invalid keys quote no value. */
export const privateKeys = z.string().transform((text, context): PrivateJwk[] => {
  const { data, error } = jwkSet.safeParse(parseJson(text));
  if (data) return data.keys;
  const problems = error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim());
  context.addIssue(`is not a JWK set such as npm run keys prints: ${problems.join(', ')}`);
  return z.NEVER;
});

/** Checks that the key's parts belong together. Node accepts any `d` with any point, and such signatures never verify. */
function isPair(key: { kty: string; crv: string; x: string; y: string; d: string }): boolean {
  try {
    const secret = createPrivateKey({ key, format: 'jwk' });
    const message = Buffer.from('signed and verified');
    return verify('sha256', message, createPublicKey(secret), sign('sha256', message, secret));
  } catch {
    return false;
  }
}
