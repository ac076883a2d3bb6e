import { once } from 'node:events';
import chokidar from 'chokidar';
import { watch as applyCurrent } from 'graphile-migrate';
import { oneAtATime } from '../../common/oneAtATime.ts';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { printReport } from '../../lint/report.ts';
import { currentFile } from '../../postgres/migrate/currentSql.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { command, describeError, onTarget } from '../cli/command.ts';
import { fixturesFolder } from '../migrations/fixtures.ts';
import { waiting } from '../migrations/migrationLock.ts';
import { whileMigrating } from '../migrations/whileMigrating.ts';
import { lintSchema } from '../servedApi/lintSchema.ts';

/** graphile-migrate's own choice: polling also sees what git puts back, and a file is left alone while it is written. */
const observing = {
  usePolling: true,
  ignoreInitial: true,
  awaitWriteFinish: { stabilityThreshold: 200, pollInterval: 100 },
};

interface Options {
  readonly once?: boolean;
  readonly wait: number;
}

export const watchCommand = waiting(command('watch', 'apply current.sql now and at every save, and lint'))
  .option('--once', 'apply it once and stop; exit code 1 for errors of the linter')
  .action(onTarget<Options>(watch));

/**
 * Applies current.sql and inspects what it made, and again at every save until the process is told to stop.
 *
 * graphile-migrate's own watcher begins a second application beside one that is under way, which gives up after
 * `lock_timeout`: what was saved last would not be applied.
 */
async function watch(target: Target, options: Options): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production') {
    throw new UsageError('What is not committed is not for production: there it is `npm run db -- migrate`.');
  }
  console.log(`${options.once ? 'Applying' : 'Watching'} current.sql on ${target.name}`);
  if (options.once) return apply(target, options.wait);

  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end(target));
  const applying = oneAtATime(async () => {
    try {
      await apply(target, options.wait);
    } catch (error) {
      console.error(describeError(error as Error));
      console.error('Waiting for the next save');
    }
  });
  const watcher = chokidar.watch([currentFile, fixturesFolder], observing).on('all', applying.call);
  await once(watcher, 'ready');
  applying.call();
  return new Promise(() => {});
}

async function apply(target: Target, wait: number): Promise<ExitCode> {
  await whileMigrating(target, { verb: 'watch', wait }, async () =>
    applyCurrent(await migrateSettings(target, (line) => console.log(line)), true),
  );
  const report = await withClient(target.ownerUrl, (client) => lintSchema(client, 'current', target.serverUrl));
  printReport(report);
  return report.findings.some(({ level }) => level === 'error') ? 1 : 0;
}

/** Not to wait for an application that is under way, and Postgres rolls it back. */
async function end(target: Target): Promise<void> {
  try {
    await target.close();
  } finally {
    // Also where the folder of the checkout is gone, and the target with it.
    process.exit(0);
  }
}
