import { randomBytes } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { UsageError } from '../../common/usageError.ts';
import type { ApiActor, Client } from './client.ts';

/** A signed-in user with credentials and tokens. */
export interface Account extends ApiActor {
  readonly id: string;
  readonly token: string;
  readonly email: string;
  readonly password: string;
  readonly sessionId: string | undefined;
}

/**
 * Registers a new user.
 *
 * @throws UsageError if the server refuses the registration.
 */
export async function register(client: Client, name: string): Promise<Account> {
  const suffix = randomBytes(6).toString('hex');
  const credentials = {
    email: `prover-${suffix}@example.com`,
    username: `prover-${suffix}`,
    password: randomBytes(12).toString('hex'),
  };
  const { status, body, text } = await client.send('POST', '/auth/register', undefined, credentials);
  if (status !== 201) {
    throw new UsageError(
      `${client.url}/auth/register answered ${status}: ${text.slice(0, 200)}. The prover needs new accounts; allow registration.`,
    );
  }
  return account(name, credentials, body as unknown as SignedIn);
}

/**
 * Signs in as an existing user.
 *
 * @throws UsageError if the server refuses the credentials.
 */
export async function signIn(
  client: Client,
  name: string,
  credentials: { email: string; password: string },
): Promise<Account> {
  const { status, body } = await client.send('POST', '/auth/login', undefined, credentials);
  if (status !== 200)
    throw new UsageError(
      `${client.url}/auth/login answered ${status} to ${name}, ${credentials.email}. Check the address and the password.`,
    );
  return account(name, credentials, body as unknown as SignedIn);
}

/**
 * Creates an organization that the user owns.
 *
 * @returns the account, which acts for the organization. Without such a route, the account acts for none.
 */
export async function createOrganization(client: Client, account: Account): Promise<Account> {
  const { status, body } = await client.send('POST', '/organizations', account.token, { name: `of ${account.email}` });
  const { id } = (body ?? {}) as { id?: string };
  return status === 201 && id !== undefined ? { ...account, organizationId: id } : account;
}

/**
 * Deletes the account, its organization and all its rows.
 *
 * @throws Error if the server refuses.
 */
export async function deleteAccount(client: Client, account: Account): Promise<void> {
  const { name, email, password, organizationId } = account;
  const { token } = await signIn(client, name, { email, password });
  if (organizationId !== undefined) await client.send('DELETE', `/organizations/${organizationId}`, token);
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
