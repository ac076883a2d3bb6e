import { createHmac, createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import type jwt from 'jsonwebtoken';
import type { PrivateJwk } from '../../server/auth/tokens/privateKeys.ts';

/** Signs the header and payload of a token. */
export type Signer = (head: string) => Buffer;

export const hmac =
  (secret: string | Buffer, bits = 256): Signer =>
  (head) =>
    createHmac(`sha${bits}`, secret).update(head).digest();

/** Signs with ECDSA, in the format of JSON Web Signatures (IEEE P1363) or in DER, the usual format elsewhere. */
export const ecdsa =
  (key: PrivateJwk | KeyObject, hash = 'sha256', dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363'): Signer =>
  (head) =>
    sign(hash, Buffer.from(head), {
      key: 'kid' in key ? createPrivateKey({ key, format: 'jwk' }) : key,
      dsaEncoding,
    });

const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** Builds a token in the compact format. A part that is text is encoded as it is, even if it is not JSON. */
export function compact(header: unknown, payload: unknown, signer: Signer): string {
  const head = `${encode(header)}.${encode(payload)}`;
  return `${head}.${signer(head).toString('base64url')}`;
}

/**
 * The material for forged tokens. It includes the server's own key, so that the tests show that each change alone
 * invalidates a token.
 */
export interface ForgeryInput {
  /** A valid token. */
  readonly token: string;
  readonly header: jwt.JwtHeader;
  readonly claims: jwt.JwtPayload;
  /** Signs with the server's key. */
  readonly signer: Signer;
}

type Forgery = [string, (input: ForgeryInput) => string];

const seconds = () => Math.floor(Date.now() / 1000);
const parts = (token: string) => token.split('.') as [string, string, string];
const garbage: Signer = () => Buffer.from('garbage');

/** Changes claims of the valid token and signs it again with the server's key. */
const withClaims =
  (change: (claims: jwt.JwtPayload) => object) =>
  ({ header, claims, signer }: ForgeryInput) =>
    compact(header, { ...claims, ...change(claims) }, signer);
/** Changes the header of the valid token and signs it again with the server's key. */
const withHeader =
  (change: Record<string, unknown>) =>
  ({ header, claims, signer }: ForgeryInput) =>
    compact({ ...header, ...change }, claims, signer);

/** Tokens that every server must refuse, whatever its keys are: a description and a function that builds the token. */
export const forgeries: readonly Forgery[] = [
  ...['none', 'None', 'NONE', 'nOnE', '', 'null'].map(
    (alg): Forgery => [
      `the algorithm ${JSON.stringify(alg)} and no signature`,
      ({ header, claims }) =>
        `${parts(compact({ ...header, alg }, claims, garbage))
          .slice(0, 2)
          .join('.')}.`,
    ],
  ),
  ['the algorithm none and a signature', withHeader({ alg: 'none' })],
  ['no algorithm', withHeader({ alg: undefined })],
  ['a list of algorithms', withHeader({ alg: ['HS256', 'ES256', 'none'] })],
  ...['HS384', 'HS512', 'ES384', 'RS256', 'PS256', 'EdDSA', 'hs256', 'es256'].map(
    (alg): Forgery => [`the right signature under the name of ${alg}`, withHeader({ alg })],
  ),
  ['no signature', ({ token }) => `${parts(token).slice(0, 2).join('.')}.`],
  ['no signature and no dot', ({ token }) => parts(token).slice(0, 2).join('.')],
  ['the signature alone', ({ token }) => `..${parts(token)[2]}`],
  ['one dot too many', ({ token }) => `${token}.`],
  ['a dot in front', ({ token }) => `.${token}`],
  ['four parts', ({ token }) => `${token}.${parts(token)[2]}`],
  ['five parts, as if encrypted', ({ token }) => `${token}.AAAA.AAAA`],
  ['half a signature', ({ token }) => token.slice(0, -20)],
  ['a longer signature', ({ token }) => `${token}AAAA`],
  ['a signature of zeros', ({ token }) => token.replace(/[^.]+$/, (signature) => 'A'.repeat(signature.length))],
  [
    'other claims than were signed',
    ({ token, claims }) => {
      const [head, , signature] = parts(token);
      return `${head}.${encode({ ...claims, sub: randomUUID() })}.${signature}`;
    },
  ],
  [
    'another header than was signed',
    ({ token, header }) => {
      const [, payload, signature] = parts(token);
      return `${encode({ ...header, typ: 'jwt' })}.${payload}.${signature}`;
    },
  ],
  [
    'the claims twice over',
    ({ token, claims }) => {
      const [head, , signature] = parts(token);
      const twice = JSON.stringify(claims).replace('}', `,"sub":"${randomUUID()}"}`);
      return `${head}.${encode(twice)}.${signature}`;
    },
  ],
  [
    'another secret',
    ({ claims }) => compact({ alg: 'HS256', typ: 'JWT' }, claims, hmac('another secret, as long as the right one')),
  ],
  ['an empty secret', ({ claims }) => compact({ alg: 'HS256', typ: 'JWT' }, claims, hmac(''))],
  ['padding', ({ token }) => `${token}=`],
  ['the alphabet of plain base64', ({ token }) => `${parts(token).slice(0, 2).join('.')}.${'+/'.repeat(20)}`],
  ['a header that is no JSON', ({ claims, signer }) => compact('{"alg"', claims, signer)],
  ['a header that is a list', ({ header, claims, signer }) => compact([header], claims, signer)],
  ['claims that are no JSON', ({ header, signer }) => compact(header, '{"sub"', signer)],
  ['claims that are a list', ({ header, claims, signer }) => compact(header, [claims], signer)],
  ['claims that are null', ({ header, signer }) => compact(header, 'null', signer)],
  ['nothing', () => ''],
  ['dots alone', () => '..'],
  ['a word', () => 'token'],
  ['another issuer', withClaims(() => ({ iss: 'other' }))],
  ['a list of issuers', withClaims(({ iss }) => ({ iss: [iss] }))],
  ['no issuer', withClaims(() => ({ iss: undefined }))],
  ['another audience', withClaims(() => ({ aud: 'other' }))],
  ['a list of audiences', withClaims(({ aud }) => ({ aud: [aud, 'other'] }))],
  ['no audience', withClaims(() => ({ aud: undefined }))],
  ['another type', withHeader({ typ: 'at+jwt' })],
  ['a type that is a number', withHeader({ typ: 1 })],
  ['no end', withClaims(() => ({ exp: undefined }))],
  ['an end that is text', withClaims(({ exp }) => ({ exp: String(exp) }))],
  ['an end a minute ago', withClaims(() => ({ iat: seconds() - 960, exp: seconds() - 60 }))],
  ['an end in 1970', withClaims(() => ({ exp: 0 }))],
  ['a begin in the future', withClaims(() => ({ nbf: seconds() + 60 }))],
  ['a begin that is text', withClaims(() => ({ nbf: 'now' }))],
  ['no time of issue', withClaims(() => ({ iat: undefined }))],
  ['a time of issue in the future', withClaims(() => ({ iat: seconds() + 60 }))],
  ['no subject', withClaims(() => ({ sub: undefined }))],
  ['a subject that is no id', withClaims(({ sub }) => ({ sub: `${sub}' or true --` }))],
  ['a subject that is a list', withClaims(({ sub }) => ({ sub: [sub] }))],
  ['a NUL in the subject', withClaims(({ sub }) => ({ sub: `${sub}\0` }))],
  ['no session', withClaims(() => ({ sid: undefined }))],
  ['a session that is no id', withClaims(() => ({ sid: "' or true --" }))],
  ['a session that is a number', withClaims(() => ({ sid: 1 }))],
  ...[
    '../../../../dev/null',
    '/dev/null',
    'https://evil.example/key',
    "x' union select 'secret' --",
    'a\0b',
    '',
    'unknown',
    '__proto__',
    'constructor',
  ].map((kid): Forgery => [`the key ${JSON.stringify(kid)}`, withHeader({ kid })]),
  ['a key that is a number', withHeader({ kid: 0 })],
  ['a key that is null', withHeader({ kid: null })],
  ['a key that is an object', withHeader({ kid: { toString: 'x' } })],
  ['a long name for a key', withHeader({ kid: 'x'.repeat(6000) })],
  ['a place to fetch keys from', withHeader({ jku: 'https://evil.example/jwks.json' })],
  ['a place to fetch a certificate from', withHeader({ x5u: 'https://evil.example/cert.pem' })],
  ['a certificate', withHeader({ x5c: ['MIIB'] })],
  ['a key in its header', withHeader({ jwk: { kty: 'oct', k: 'AAAA' } })],
  ['a demand in its header', withHeader({ crit: ['exp'] })],
  ['claims that are not encoded', withHeader({ b64: false, crit: ['b64'] })],
  ['compressed claims', withHeader({ zip: 'DEF' })],
];
