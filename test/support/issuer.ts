import { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { ExternalIssuer } from '../../server/auth/tokens/externalIssuer.ts';

/** An external issuer of tokens. A real HTTP server on loopback serves its keys. */
export interface TestIssuer {
  readonly settings: ExternalIssuer;
  /** The private key of `usual`, the first key, which signs by default. */
  readonly usual: KeyObject;
  /** The served keys. Tests may change them. */
  readonly keys: JWK[];
  /** Number of requests for the keys. */
  fetches(): number;
  /** Adds a key for the algorithm, and returns its private key. */
  addKey(kid: string, alg?: string): Promise<CryptoKey>;
  /** Replaces the answers to requests; without an argument, restores the normal ones. */
  answer(listener?: (request: IncomingMessage, response: ServerResponse) => void): void;
  /** Signs a token of the issuer with changed claims; `undefined` removes a claim. */
  token(claims?: JWTPayload, header?: Record<string, unknown>, key?: CryptoKey | Uint8Array): Promise<string>;
  close(): Promise<void>;
}

export async function startIssuer(name = 'https://issuer.example/'): Promise<TestIssuer> {
  const keys: JWK[] = [];
  let fetched = 0;
  const serveKeys = (_request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys }));
  };
  let listener = serveKeys;
  const server = createServer((request, response) => {
    fetched++;
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const addKey = async (kid: string, alg = 'ES256') => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' });
    return privateKey;
  };
  const usual = await addKey('usual');
  return {
    usual: KeyObject.from(usual),
    settings: {
      issuer: name,
      audience: 'https://api.example/',
      jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    },
    keys,
    fetches: () => fetched,
    addKey,
    answer: (other = serveKeys) => {
      listener = other;
    },
    token(claims, header, key = usual) {
      const now = Math.floor(Date.now() / 1000);
      const audience = 'https://api.example/';
      return new SignJWT({ iss: name, aud: audience, sub: 'someone', iat: now, exp: now + 3600, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'usual', ...header })
        .sign(key);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
