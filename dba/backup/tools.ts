import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../../common/usageError.ts';

/** The parent folders of the version folders that packages install. */
const packageFolders = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt', '/usr'];

/** pg_dump and pg_restore of one version. */
export interface Tools {
  readonly dump: string;
  readonly restore: string;
  readonly major: number;
}

/**
 * Finds pg_dump and pg_restore for a server: in PG_BIN if it is set, otherwise on PATH and in package folders. The tools
 * support servers of their own version and older ones. The oldest suitable version is preferred.
 *
 * @param server the server's major version.
 * @throws UsageError that lists the versions found and the one to install.
 */
export async function findTools(server: number, { PG_BIN, PATH }: NodeJS.ProcessEnv): Promise<Tools> {
  const folders = PG_BIN ? [PG_BIN] : [...(PATH ?? '').split(delimiter), ...(await installedFolders())];
  const all = (await Promise.all([...new Set(folders)].map(tools))).flatMap((found) => found ?? []);
  const [best] = all.filter(({ major }) => major >= server).sort((a, b) => a.major - b.major);
  if (best) return best;
  const versions = [...new Set(all.map(({ major }) => major))].join(', ');
  const where = PG_BIN ? `in PG_BIN (${PG_BIN})` : 'on PATH or in /usr/lib/postgresql';
  throw new UsageError(
    `The server is Postgres ${server}, and ${versions ? `pg_dump and pg_restore ${where} are of version ${versions}` : `pg_dump and pg_restore are not ${where}`}. Install version ${server} (postgresql-client-${server} from apt.postgresql.org, libpq from Homebrew), or set PG_BIN to their folder.`,
  );
}

async function installedFolders(): Promise<string[]> {
  const found = await Promise.all(
    packageFolders.map(async (folder) => {
      const names = await readdir(folder).catch(() => []);
      return names
        .filter((name) => /^(\d+|pgsql-\d+|libpq|postgresql(@\d+)?)$/.test(name))
        .map((name) => join(folder, name, 'bin'));
    }),
  );
  return found.flat();
}

async function tools(folder: string): Promise<Tools | undefined> {
  const [dump, restore] = [join(folder, 'pg_dump'), join(folder, 'pg_restore')];
  const versions = await Promise.all([dump, restore].map(majorOf));
  const major = versions[0];
  return major !== undefined && major === versions[1] ? { dump, restore, major } : undefined;
}

async function majorOf(program: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version']);
    return Number(/ (\d+)/.exec(stdout)?.[1]) || undefined;
  } catch {
    return undefined;
  }
}
