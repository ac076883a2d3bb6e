import { loadEnvFile } from 'node:process';
import { bloatCommand } from './bloat.ts';
import { checkCommand } from './check.ts';
import { command } from './command.ts';
import { commitCommand } from './commit.ts';
import { envCommand } from './env.ts';
import { explainCommand } from './explain.ts';
import { initCommand } from './init.ts';
import { locksCommand } from './locks.ts';
import { migrateCommand } from './migrate.ts';
import { resetCommand } from './reset.ts';
import { slowCommand } from './slow.ts';
import { snapshotCommand } from './snapshot.ts';
import { statusCommand } from './status.ts';
import { uncommitCommand } from './uncommit.ts';
import { unusedIndexesCommand } from './unusedIndexes.ts';
import { watchCommand } from './watch.ts';

try {
  loadEnvFile();
} catch {
  // No .env file: the environment is all there is.
}

const verbs = [
  initCommand,
  migrateCommand,
  watchCommand,
  commitCommand,
  uncommitCommand,
  resetCommand,
  statusCommand,
  snapshotCommand,
  envCommand,
  checkCommand,
  explainCommand,
  slowCommand,
  locksCommand,
  bloatCommand,
  unusedIndexesCommand,
];

const program = command('npm run db --', 'Write, apply and inspect migrations.').addHelpText(
  'after',
  `
Works on the database of DATABASE_URL_DIRECT, or on the embedded Postgres where neither it nor DATABASE_URL is set.
Exit code: 0 fine, 1 findings, 2 could not run.`,
);
for (const verb of verbs) program.addCommand(verb);

await program.parseAsync();
