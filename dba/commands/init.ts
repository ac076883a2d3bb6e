import type { ExitCode } from '../../common/usageError.ts';
import { UsageError } from '../../common/usageError.ts';
import { provision } from '../../postgres/target/provision.ts';
import { databaseOf } from '../../postgres/target/scratch.ts';
import { describeUrl, readUrl } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { command, run } from '../cli/command.ts';

export const initCommand = command('init', 'create roles and databases, as the admin of ROOT_DATABASE_URL').action(() =>
  run(() => init(process.env)),
);

/** Creates roles and databases on an external Postgres. Takes names and passwords from the connection strings. */
async function init(env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const adminUrl = readUrl('ROOT_DATABASE_URL', env.ROOT_DATABASE_URL);
  const missing = ['ROOT_DATABASE_URL', 'DATABASE_URL_DIRECT', 'DATABASE_URL'].filter((name) => !env[name]);
  if (!adminUrl || missing.length > 0) {
    throw new UsageError(
      `${missing.join(', ')} must be set. ROOT_DATABASE_URL needs a role that may create roles and databases. DATABASE_URL_DIRECT needs the user hedgerow_owner and DATABASE_URL the user hedgerow_authenticator, each with the password and the database to create.`,
    );
  }
  const owner = parse(env, 'DATABASE_URL_DIRECT', 'hedgerow_owner');
  const authenticator = parse(env, 'DATABASE_URL', 'hedgerow_authenticator');
  const shadow = env.SHADOW_DATABASE_URL ? parse(env, 'SHADOW_DATABASE_URL', 'hedgerow_owner').database : undefined;

  console.log(`Creating roles and databases as the admin of ${describeUrl(adminUrl)}`);
  await provision({
    adminUrl,
    databases: [owner.database, ...(shadow ? [shadow] : [])],
    passwords: { owner: owner.password, authenticator: authenticator.password },
  });
  await connect('DATABASE_URL_DIRECT', owner.url);
  await connect('DATABASE_URL', authenticator.url);
  console.log('Done. Next: npm run db -- migrate');
  return 0;
}

interface Login {
  readonly url: string;
  readonly password: string;
  readonly database: string;
}

function parse(env: NodeJS.ProcessEnv, name: string, user: string): Login {
  const url = readUrl(name, env[name]) as string;
  const { username, password } = new URL(url);
  const database = databaseOf(url);
  if (decodeURIComponent(username) !== user || !password || !database) {
    throw new UsageError(`${name} must look like postgres://${user}:<password>@<host>/<database>`);
  }
  return { url, password: decodeURIComponent(password), database };
}

async function connect(name: string, url: string): Promise<void> {
  await withClient(url, async () => console.log(`${name} connects: ${describeUrl(url)}`)).catch((error) => {
    throw new UsageError(`Cannot connect with ${name}: ${error.message}`);
  });
}
