import { loadEnvFile } from 'node:process';
import { Command } from 'commander';
import { commit, uncommit } from './commit.ts';
import { env } from './env.ts';
import { init } from './init.ts';
import { migrate } from './migrate.ts';
import { reset } from './reset.ts';
import { snapshot } from './snapshot.ts';
import { status } from './status.ts';
import { openTarget, type Target } from './target.ts';
import { type ExitCode, UsageError } from './verb.ts';
import { watch } from './watch.ts';

try {
  loadEnvFile();
} catch {
  // No .env file: the environment is all there is.
}

const program = new Command('npm run db --').description('Write, apply and inspect migrations.').addHelpText(
  'after',
  `
Works on the database of DATABASE_URL_DIRECT, or on the embedded Postgres where neither it nor DATABASE_URL is set.
Exit code: 0 fine, 1 findings, 2 could not run.`,
);

program
  .command('init')
  .description('create roles and databases, as the admin of ROOT_DATABASE_URL')
  .action(() => run(() => init(process.env)));
program
  .command('migrate')
  .description('apply the committed migrations that the database does not have')
  .action(() => onTarget(migrate));
program
  .command('watch')
  .description('apply current.sql now and at every save')
  .option('--once', 'apply it once and stop')
  .action(({ once = false }: { once?: boolean }) => onTarget((target) => watch(target, once)));
program
  .command('commit')
  .description('move current.sql to migrations/committed, after trying it on the shadow database')
  .option('-m, --message <words>', 'what the migration does; becomes part of its file name')
  .action(({ message }: { message?: string }) => onTarget((target) => commit(target, message)));
program
  .command('uncommit')
  .description('move the last committed migration back to current.sql; never once others have applied it')
  .action(() => onTarget(uncommit));
program
  .command('reset')
  .description('drop the database, create it anew and apply the committed migrations')
  .option('--yes', 'do not ask')
  .action(({ yes = false }: { yes?: boolean }) => onTarget((target) => reset(target, yes)));
program
  .command('status')
  .description('compare the database with the migrations and the snapshot')
  .option('--json', 'for machines')
  .action(({ json = false }: { json?: boolean }) => onTarget((target) => status(target, json)));
program
  .command('snapshot')
  .description('write migrations/snapshot.txt from the shadow database, built anew')
  .action(() => onTarget(snapshot));
program
  .command('env')
  .description(
    "print the connections for graphile-migrate's own command line; the embedded Postgres must run (npm start)",
  )
  .action(() => onTarget(env));

async function run(verb: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await verb();
  } catch (error) {
    const expected = error instanceof UsageError || (error as { code?: unknown }).code !== undefined;
    console.error(expected ? (error as Error).message : error);
    process.exitCode = 2;
  }
}

function onTarget(verb: (target: Target) => Promise<ExitCode>): Promise<void> {
  return run(async () => {
    const target = await openTarget(process.env);
    try {
      return await verb(target);
    } finally {
      await target.close();
    }
  });
}

await program.parseAsync();
