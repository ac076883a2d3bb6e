import { writeFile } from 'node:fs/promises';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { dropAbandoned, temporaryName } from '../branches/branch.ts';
import { branchTarget, openBranches } from '../branches/branches.ts';
import { command, onTarget } from '../cli/command.ts';
import { type Confirmation, confirm, withConfirmation } from '../cli/confirmation.ts';
import { wholeNumber } from '../cli/wholeNumber.ts';
import { demandSoundCurrent } from '../migrations/demandSound.ts';
import { waiting } from '../migrations/migrationLock.ts';
import { readPending } from '../rehearse/pending.ts';
import { type Rehearsal, rehearseOn, type Settings } from '../rehearse/rehearsal.ts';
import { hasFindings, reportLines, reportMarkdown } from '../rehearse/report.ts';
import { commit } from './commit.ts';
import { migrate } from './migrate.ts';

interface Options extends Confirmation, Settings {
  readonly disconnect?: boolean;
  readonly json?: boolean;
  readonly markdown?: string;
  readonly promote?: boolean;
  readonly message?: string;
  readonly wait: number;
}

export const rehearseCommand = waiting(
  withConfirmation(
    command('rehearse', 'apply pending migrations and current.sql to a branch under simulated traffic, and report'),
  ),
)
  .option('--traffic <n>', 'number of simulated tenants that read and write concurrently', wholeNumber(0), 4)
  .option('--max-block <ms>', 'how long a lock may block tenants of a busy table', wholeNumber(1), 100)
  .option('--no-attacks', 'do not attack one tenant as another after the migration')
  .option('--disconnect', 'terminate connections that block the copy; their work is lost')
  .option('--markdown <file>', 'also write the report as Markdown for a pull request')
  .option('--json', 'print JSON')
  .option('--promote', 'if there are no findings, commit current.sql and apply everything to the real database')
  .option('-m, --message <words>', 'with --promote: a description of the migration')
  .action(onTarget<Options>(rehearse));

async function rehearse(target: Target, options: Options): Promise<ExitCode> {
  const { disconnect, json, markdown, promote, message, wait } = options;
  if (promote && json) throw new UsageError('--promote prints progress as text: leave out --json.');
  if (disconnect && !(await confirm(`This terminates all other connections to ${target.name}.`, options))) return 1;
  await demandSoundCurrent();
  const pending = () => withClient(target.ownerUrl, async (client) => JSON.stringify(await readPending(client)));
  const rehearsed = promote ? await pending() : '';
  const rehearsal = await onBranch(target, options);
  if (json) console.log(JSON.stringify(rehearsal));
  else for (const line of reportLines(rehearsal)) console.log(line);
  if (markdown) await writeFile(markdown, reportMarkdown(rehearsal));
  if (hasFindings(rehearsal)) return 1;
  if (!promote) return 0;
  if (!(await confirm(`This applies what was rehearsed to ${target.name}.`, options))) return 1;
  if ((await pending()) !== rehearsed) {
    throw new UsageError('current.sql or the pending migrations have changed since the rehearsal: rehearse again.');
  }
  const written = rehearsal.migrations.some(({ file }) => file === 'current.sql');
  return written ? commit(target, { wait, ...(message !== undefined && { message }) }) : migrate(target, wait);
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Creates a branch, rehearses on it, and drops it in any case. */
async function onBranch(target: Target, options: Options): Promise<Rehearsal> {
  const branches = openBranches(target);
  await dropAbandoned(branches, 'rehearsal');
  const name = temporaryName('rehearsal');
  console.error(`Copying ${branches.parent}`);
  await branches.create(name, options);
  let dropped: Promise<void> | undefined;
  const drop = () => {
    dropped ??= branches.drop(name, { disconnect: true });
    return dropped;
  };
  let interrupted = false;
  // Dropping the branch makes the rehearsal fail, whatever it is doing.
  const interrupt = () => {
    interrupted = true;
    drop().catch(() => {});
  };
  for (const signal of signals) process.on(signal, interrupt);
  try {
    return await rehearseOn(await branchTarget(branches, name), target, options, (line) => console.error(line));
  } catch (error) {
    throw interrupted ? new UsageError('The rehearsal was interrupted, and its branch was dropped.') : error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
    await drop();
  }
}
