import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { UsageError } from '../../common/usageError.ts';
import { ConnectionStringError, canonicalUrl, hostOf } from '../connectionString.ts';
import { openCluster } from '../embedded/cluster.ts';
import { closeMigrateConnections } from '../internals/migrateConnections.ts';
import { withClient } from '../withClient.ts';
import { provision } from './provision.ts';

/** The target database of a command, by its connection strings. */
export interface Target {
  /** Description for people, without a password. */
  readonly name: string;
  /** Connects as hedgerow_owner, directly and not through a pooler. */
  readonly ownerUrl: string;
  /** The shadow database, which `commit`, `uncommit` and `snapshot` erase and rebuild. */
  readonly shadowUrl: string | undefined;
  /** Connects as a role that may create and drop databases. */
  readonly adminUrl: string | undefined;
  /** Connects as hedgerow_authenticator, as the server does. */
  readonly serverUrl: string | undefined;
  close(): Promise<void>;
}

/** The target of the embedded Postgres, which has all connection strings. */
export interface EmbeddedTarget extends Target {
  readonly serverUrl: string;
  readonly adminUrl: string;
  readonly shadowUrl: string;
}

/** Opens the database of DATABASE_URL_DIRECT, or the embedded one without any database variable. */
export async function openTarget(env: NodeJS.ProcessEnv): Promise<Target> {
  const [serverUrl, ownerUrl, shadowUrl, adminUrl] = urlVariables.map((name) => readUrl(name, env[name]));
  if (!ownerUrl) {
    if (serverUrl || env.NODE_ENV === 'production') {
      throw new UsageError(
        'DATABASE_URL_DIRECT is not set. Set it to the connection string of hedgerow_owner, directly to Postgres and not to a pooler.',
      );
    }
    return openEmbedded();
  }
  return { name: describeUrl(ownerUrl), ownerUrl, shadowUrl, adminUrl, serverUrl, close: async () => {} };
}

const urlVariables = ['DATABASE_URL', 'DATABASE_URL_DIRECT', 'SHADOW_DATABASE_URL', 'ROOT_DATABASE_URL'];

/**
 * Returns the connection string of an environment variable in canonical form.
 *
 * @throws UsageError with the name of the variable, and without its value, which may contain a password.
 */
export function readUrl(name: string, url: string | undefined): string | undefined {
  if (!url) return undefined;
  try {
    return canonicalUrl(url);
  } catch (error) {
    if (!(error instanceof ConnectionStringError)) throw error;
    throw new UsageError(`${name} ${error.message}.`);
  }
}

/** Starts or joins the embedded Postgres in `.data/`, with Hedgerow's roles and databases. */
export async function openEmbedded(
  directory = join(root, '.data'),
  settings: Readonly<Record<string, string>> = { shared_preload_libraries: 'pg_stat_statements' },
): Promise<EmbeddedTarget> {
  await mkdir(directory, { recursive: true });
  const cluster = await openCluster({ directory: join(directory, 'postgres'), settings });
  const passwords = await rolePasswords(join(directory, 'role-passwords.json'));
  const adminUrl = cluster.adminUrl();
  await provision({ adminUrl, databases: ['hedgerow', 'hedgerow_shadow'], passwords });
  // Create it in the admin's database: there it shows all databases, and does not become part of Hedgerow's schema.
  await withClient(adminUrl, (admin) => admin.query('create extension if not exists pg_stat_statements'));
  const url = (role: 'owner' | 'authenticator', database: string) =>
    `postgres://hedgerow_${role}:${passwords[role]}@127.0.0.1:${cluster.port}/${database}`;
  return {
    name: `the embedded Postgres, database hedgerow on 127.0.0.1:${cluster.port}`,
    serverUrl: url('authenticator', 'hedgerow'),
    ownerUrl: url('owner', 'hedgerow'),
    shadowUrl: url('owner', 'hedgerow_shadow'),
    adminUrl,
    close: async () => {
      await closeMigrateConnections();
      await cluster.close();
    },
  };
}

/** Returns `database on host:port`, without user and password. */
export function describeUrl(url: string): string {
  const { port, pathname } = new URL(canonicalUrl(url));
  return `database ${decodeURI(pathname.slice(1))} on ${hostOf(canonicalUrl(url))}:${port || 5432}`;
}

async function rolePasswords(file: string): Promise<{ owner: string; authenticator: string }> {
  const fresh = JSON.stringify({
    owner: randomBytes(24).toString('hex'),
    authenticator: randomBytes(24).toString('hex'),
  });
  await writeFile(file, fresh, { flag: 'wx', mode: 0o600 }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return JSON.parse(await readFile(file, 'utf8'));
}
