import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { root } from '../../common/root.ts';
import { UsageError } from '../../common/usageError.ts';
import { withClient } from '../withClient.ts';

export interface Provisioning {
  /** Connection string of a role that may create roles and databases. It need not be a superuser. */
  readonly adminUrl: string;
  /** Databases to create if they are missing, owned by hedgerow_owner. */
  readonly databases: readonly string[];
  /** New passwords of hedgerow_owner and hedgerow_authenticator. */
  readonly passwords: { readonly owner: string; readonly authenticator: string };
}

/** Creates or updates Hedgerow's roles and databases. It is idempotent. */
export async function provision({ adminUrl, databases, passwords }: Provisioning): Promise<void> {
  await withClient(adminUrl, async (client) => {
    await client.query(await readFile(join(root, 'migrations', 'roles.sql'), 'utf8'));
    await setPassword(client, 'hedgerow_owner', passwords.owner);
    await setPassword(client, 'hedgerow_authenticator', passwords.authenticator);
    for (const database of databases) await createDatabase(client, database);
  });
}

async function createDatabase(client: pg.Client, database: string): Promise<void> {
  const found = await client.query('select from pg_database where datname = $1', [database]);
  if (found.rowCount) return;
  // Only a member of a role may create a database for it. A superuser counts as a member of every role.
  const { rows } = await client.query("select pg_has_role('hedgerow_owner', 'member') as member");
  if (!rows[0].member) await client.query('grant hedgerow_owner to current_user');
  // Since Postgres 16 the creator of a role is its member, without the right to use it.
  else await client.query('grant hedgerow_owner to current_user').catch(() => {});
  await client.query(`create database ${client.escapeIdentifier(database)} owner hedgerow_owner`);
}

/** Sets a password through its SCRAM verifier, so that statements and server logs do not contain the password. */
async function setPassword(client: pg.Client, role: string, password: string): Promise<void> {
  if (prepared(password) === '')
    throw new UsageError(`The password of ${role} consists of invisible characters only. Choose another one.`);
  const set = (secret: string) => client.query(`alter role ${role} password ${client.escapeLiteral(secret)}`);
  try {
    await set(scramVerifier(password));
  } catch {
    // Neon accepts only passwords in plain text.
    await set(password);
  }
}

/**
 * Maps a password with SASLprep (RFC 4013), as clients do for authentication: spaces become U+0020, invisible characters
 * vanish, and the rest is normalized. Postgres and libpq do not map a password with a prohibited character, and
 * node-postgres does. One verifier cannot serve both, unless the mapping changes nothing.
 *
 * @throws UsageError for such a password.
 */
function prepared(password: string): string {
  const spaces = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
  const invisible = /\u034f|\u200d|[\u00ad\u1806\u200c\u2060\ufeff]|[\u180b-\u180d]|[\ufe00-\ufe0f]/g;
  const mapped = password.replace(spaces, ' ').replace(invisible, '').normalize('NFKC');
  if (mapped !== password && prohibited.test(mapped)) {
    throw new UsageError(
      'Clients encode some characters of this password differently. Choose a password of letters, digits and punctuation.',
    );
  }
  return mapped;
}

/** Prohibited characters: RFC 3454, tables C.2 to C.9, unassigned characters, and right-to-left scripts. */
const prohibited =
  /[\p{Cc}\p{Co}\p{Cs}\p{Cn}\u06dd\u070f\u180e\u200e\u200f\u2028-\u202e\u2061-\u2063\u206a-\u206f\u2ff0-\u2ffb\ufff9-\ufffd\u{1d173}-\u{1d17a}\u{1f000}-\u{1faff}\u{e0001}-\u{e007f}]|[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;

/** RFC 5803, as Postgres stores it. */
function scramVerifier(password: string, iterations = 4096): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(prepared(password), salt, iterations, 32, 'sha256');
  const key = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest('base64');
  const server = key('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}
