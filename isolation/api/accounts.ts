import { randomBytes } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { UsageError } from '../../common/usageError.ts';
import type { Client, Member } from './client.ts';

/** A member with all that sign-in gave. */
export interface Account extends Member {
  readonly id: string;
  readonly token: string;
  readonly email: string;
  readonly password: string;
  readonly sessionId: string | undefined;
}

/** Signs a new user up. @throws UsageError where the server does not let one. */
export async function register(client: Client, name: string): Promise<Account> {
  const word = randomBytes(6).toString('hex');
  const credentials = {
    email: `prover-${word}@example.com`,
    username: `prover-${word}`,
    password: randomBytes(12).toString('hex'),
  };
  const { status, body, text } = await client.send('POST', '/auth/register', undefined, credentials);
  if (status !== 201) {
    throw new UsageError(`${client.url}/auth/register answered ${status}: ${text.slice(0, 200)}.`);
  }
  return account(name, credentials, body as unknown as SignedIn);
}

/** Signs somebody in who is there already. @throws UsageError where the server does not know them. */
export async function signIn(
  client: Client,
  name: string,
  credentials: { email: string; password: string },
): Promise<Account> {
  const { status, body } = await client.send('POST', '/auth/login', undefined, credentials);
  if (status !== 200)
    throw new UsageError(`${client.url}/auth/login answered ${status} to ${name}, ${credentials.email}.`);
  return account(name, credentials, body as unknown as SignedIn);
}

/** Deletes the account, with all that is its own. @throws Error where the server does not. */
export async function leave(client: Client, { name, email, password }: Account): Promise<void> {
  const { token } = await signIn(client, name, { email, password });
  const { status } = await client.send('DELETE', '/auth/me', token, { password });
  if (status !== 204) throw new Error(`DELETE /auth/me answered ${status}`);
}

interface SignedIn {
  readonly user: { readonly id: string };
  readonly accessToken: string;
}

function account(
  name: string,
  { email, password }: { email: string; password: string },
  { user, accessToken }: SignedIn,
): Account {
  const claims = jwt.decode(accessToken) as jwt.JwtPayload | null;
  return { name, id: user.id, token: accessToken, email, password, sessionId: claims?.sid };
}
