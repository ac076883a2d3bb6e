import { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { ExternalIssuer } from '../../server/auth/tokens/externalIssuer.ts';

/** Another issuer of tokens, whose keys a real HTTP server serves on loopback. */
export interface TestIssuer {
  readonly settings: ExternalIssuer;
  /** The private key of the first, which usually signs. */
  readonly usual: KeyObject;
  /** What is served; change it as the issuer would. */
  readonly keys: JWK[];
  /** How often the keys were asked for. */
  fetches(): number;
  /** Adds a key for the algorithm, and returns what signs with it. */
  addKey(kid: string, alg?: string): Promise<CryptoKey>;
  /** Answers in another way until it is called without anything. */
  answer(listener?: (request: IncomingMessage, response: ServerResponse) => void): void;
  /** A token as the issuer makes them, but for what is changed; `undefined` takes a claim away. */
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
