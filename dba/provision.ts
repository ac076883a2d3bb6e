import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { withClient } from './client.ts';
import { root } from './root.ts';

export interface Provisioning {
  /** Connection of a role that may create roles and databases; a superuser is not needed. */
  readonly adminUrl: string;
  /** Databases to make where they are missing, owned by hedgerow_owner. */
  readonly databases: readonly string[];
  /** New passwords of hedgerow_owner and hedgerow_authenticator. */
  readonly passwords: { readonly owner: string; readonly authenticator: string };
}

/** Creates Hedgerow's roles and databases, or brings the ones that exist up to date. Safe to run again. */
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
  // Only a member of the owning role may give it a database. A superuser is one without being told.
  const { rows } = await client.query("select pg_has_role('hedgerow_owner', 'member') as member");
  if (!rows[0].member) await client.query('grant hedgerow_owner to current_user');
  // Since Postgres 16 whoever created a role is listed as its member without the right to use it.
  else await client.query('grant hedgerow_owner to current_user').catch(() => {});
  await client.query(`create database ${client.escapeIdentifier(database)} owner hedgerow_owner`);
}

/** Sets a password by its SCRAM verifier, so that the password itself is in no statement and in no log of the server. */
async function setPassword(client: pg.Client, role: string, password: string): Promise<void> {
  const set = (secret: string) => client.query(`alter role ${role} password ${client.escapeLiteral(secret)}`);
  try {
    await set(scramVerifier(password));
  } catch {
    // Neon takes passwords only as they are.
    await set(password);
  }
}

/** RFC 5803, as Postgres stores it. */
function scramVerifier(password: string, iterations = 4096): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const key = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest('base64');
  const server = key('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}
