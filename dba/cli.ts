import '../server/compileCache.ts';
import { loadEnvironmentFile } from '../server/environmentFile.ts';
import { backfillCommand } from './backfill.ts';
import { backupCommand } from './backup.ts';
import { bloatCommand } from './bloat.ts';
import { branchCommand } from './branch.ts';
import { checkCommand } from './check.ts';
import { checkChainCommand } from './checkChain.ts';
import { command } from './command.ts';
import { commitCommand } from './commit.ts';
import { envCommand } from './env.ts';
import { explainCommand } from './explain.ts';
import { initCommand } from './init.ts';
import { lintCommand } from './lint.ts';
import { locksCommand } from './locks.ts';
import { migrateCommand } from './migrate.ts';
import { newTableCommand } from './newTable.ts';
import { rebaseCommand } from './rebase.ts';
import { rehearseCommand } from './rehearse.ts';
import { resetCommand } from './reset.ts';
import { restoreCommand } from './restore.ts';
import { slowCommand } from './slow.ts';
import { snapshotCommand } from './snapshot.ts';
import { statusCommand } from './status.ts';
import { uncommitCommand } from './uncommit.ts';
import { undoCommand } from './undo.ts';
import { unusedIndexesCommand } from './unusedIndexes.ts';
import { validateCommand } from './validate.ts';
import { watchCommand } from './watch.ts';

loadEnvironmentFile();

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

// Positional: what stands behind a verb is the verb's, also where a verb of verbs has an option of that name.
const program = command('npm run db --', 'Write, apply and inspect migrations.')
  .enablePositionalOptions()
  .addHelpText(
    'after',
    `
Works on the database of DATABASE_URL_DIRECT, or on the embedded Postgres where neither it nor DATABASE_URL is set.
Exit code: 0 fine, 1 findings, 2 could not run.`,
  );
for (const verb of verbs) program.addCommand(verb);

await program.parseAsync();
