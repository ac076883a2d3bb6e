import { command } from './cli/command.ts';
import { backfillCommand } from './commands/backfill.ts';
import { backupCommand } from './commands/backup.ts';
import { bloatCommand } from './commands/bloat.ts';
import { branchCommand } from './commands/branch.ts';
import { checkCommand } from './commands/check.ts';
import { checkChainCommand } from './commands/checkChain.ts';
import { commitCommand } from './commands/commit.ts';
import { envCommand } from './commands/env.ts';
import { explainCommand } from './commands/explain.ts';
import { initCommand } from './commands/init.ts';
import { lintCommand } from './commands/lint.ts';
import { locksCommand } from './commands/locks.ts';
import { migrateCommand } from './commands/migrate.ts';
import { newTableCommand } from './commands/newTable.ts';
import { rebaseCommand } from './commands/rebase.ts';
import { rehearseCommand } from './commands/rehearse.ts';
import { resetCommand } from './commands/reset.ts';
import { restoreCommand } from './commands/restore.ts';
import { slowCommand } from './commands/slow.ts';
import { snapshotCommand } from './commands/snapshot.ts';
import { statusCommand } from './commands/status.ts';
import { uncommitCommand } from './commands/uncommit.ts';
import { undoCommand } from './commands/undo.ts';
import { unusedIndexesCommand } from './commands/unusedIndexes.ts';
import { validateCommand } from './commands/validate.ts';
import { watchCommand } from './commands/watch.ts';

const verbs = [
  initCommand,
  migrateCommand,
  newTableCommand,
  watchCommand,
  commitCommand,
  uncommitCommand,
  rebaseCommand,
  undoCommand,
  resetCommand,
  statusCommand,
  snapshotCommand,
  checkChainCommand,
  lintCommand,
  branchCommand,
  backupCommand,
  restoreCommand,
  envCommand,
  checkCommand,
  explainCommand,
  slowCommand,
  locksCommand,
  bloatCommand,
  unusedIndexesCommand,
  rehearseCommand,
  backfillCommand,
  validateCommand,
];

/**
 * `npm run db --` and its subcommands. Options are positional: an option after a subcommand belongs to that subcommand,
 * even if the parent has an option of the same name.
 */
export const program = command('npm run db --', 'Write, apply and inspect migrations.')
  .enablePositionalOptions()
  .addHelpText(
    'after',
    `
Works on the database of DATABASE_URL_DIRECT. If neither it nor DATABASE_URL is set, works on the embedded Postgres.
Exit code: 0 success, 1 findings, 2 could not run.`,
  );
for (const verb of verbs) program.addCommand(verb);
