import { writeFile } from 'node:fs/promises';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { branchTarget, openBranches } from '../branches/branches.ts';
import { dropLeftOvers, passingName } from '../branches/leftOvers.ts';
import { command, onTarget } from '../cli/command.ts';
import { allowed, dangerous, type Permission } from '../cli/danger.ts';
import { wholeNumber } from '../cli/wholeNumber.ts';
import { demandSoundCurrent } from '../migrations/demandSound.ts';
import { waiting } from '../migrations/migrationLock.ts';
import { readPending } from '../rehearse/pending.ts';
import { type Rehearsal, rehearseOn, type Settings } from '../rehearse/rehearsal.ts';
import { hasFindings, reportLines, reportMarkdown } from '../rehearse/report.ts';
import { commit } from './commit.ts';
import { migrate } from './migrate.ts';

interface Options extends Permission, Settings {
  readonly disconnect?: boolean;
  readonly json?: boolean;
  readonly markdown?: string;
  readonly promote?: boolean;
  readonly message?: string;
  readonly wait: number;
}

export const rehearseCommand = waiting(
  dangerous(
    command('rehearse', 'apply what is pending, and current.sql, to a branch that tenants use, and tell what happens'),
  ),
)
  .option('--traffic <n>', 'tenants who read and write at a time', wholeNumber(0), 4)
  .option('--max-block <ms>', 'how long tenants of a busy table may be kept waiting', wholeNumber(1), 100)
  .option('--no-attacks', 'do not attack one tenant with another in the end')
  .option('--disconnect', 'end the connections that are in the way of the copy, whose work is lost')
  .option('--markdown <file>', 'write the report for a pull request, too')
  .option('--json', 'for machines')
  .option('--promote', 'without findings, commit current.sql and apply all of it to the real database')
  .option('-m, --message <words>', 'with --promote: what the migration does')
  .action(onTarget<Options>(rehearse));

async function rehearse(target: Target, options: Options): Promise<ExitCode> {
  const { disconnect, json, markdown, promote, message, wait } = options;
  if (promote && json) throw new UsageError('--promote tells what it does as it goes: leave out --json.');
  if (disconnect && !(await allowed(`This disconnects anyone who uses ${target.name}.`, options))) return 1;
  await demandSoundCurrent();
  const pending = () => withClient(target.ownerUrl, async (client) => JSON.stringify(await readPending(client)));
  const rehearsed = promote ? await pending() : '';
  const rehearsal = await onBranch(target, options);
  if (json) console.log(JSON.stringify(rehearsal));
  else for (const line of reportLines(rehearsal)) console.log(line);
  if (markdown) await writeFile(markdown, reportMarkdown(rehearsal));
  if (hasFindings(rehearsal)) return 1;
  if (!promote) return 0;
  if (!(await allowed(`This applies what was rehearsed to ${target.name}.`, options))) return 1;
  if ((await pending()) !== rehearsed) {
    throw new UsageError(
      'current.sql, or what the database lacks, is not what was rehearsed any more: rehearse it again.',
    );
  }
  const written = rehearsal.migrations.some(({ file }) => file === 'current.sql');
  return written ? commit(target, { wait, ...(message !== undefined && { message }) }) : migrate(target, wait);
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Makes a branch, rehearses on it, and drops it however that ends. */
async function onBranch(target: Target, options: Options): Promise<Rehearsal> {
  const branches = openBranches(target);
  await dropLeftOvers(branches, 'rehearsal');
  const name = passingName('rehearsal');
  console.error(`Copying ${branches.parent}`);
  await branches.create(name, options);
  let dropped: Promise<void> | undefined;
  const drop = () => {
    dropped ??= branches.drop(name, { disconnect: true });
    return dropped;
  };
  let interrupted = false;
  // Without its branch a rehearsal fails wherever it is.
  const interrupt = () => {
    interrupted = true;
    drop().catch(() => {});
  };
  for (const signal of signals) process.on(signal, interrupt);
  try {
    return await rehearseOn(await branchTarget(branches, name), target, options, (line) => console.error(line));
  } catch (error) {
    throw interrupted ? new UsageError('The rehearsal was interrupted, and its branch is dropped.') : error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
    await drop();
  }
}
