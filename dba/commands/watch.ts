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

/** The options of graphile-migrate's own watcher. Polling also detects files that git restores; a file must be stable. */
const observing = {
  usePolling: true,
  ignoreInitial: true,
  awaitWriteFinish: { stabilityThreshold: 200, pollInterval: 100 },
};

interface Options {
  readonly once?: boolean;
  readonly wait: number;
}

export const watchCommand = waiting(command('watch', 'apply and lint current.sql now and at every save'))
  .option('--once', 'apply it once and stop; exit with 1 if the linter finds errors')
  .action(onTarget<Options>(watch));

/**
 * Applies current.sql and lints the result, again at every save until the process receives a signal.
 *
 * graphile-migrate's own watcher starts a second run while the first is still running. The second one fails after
 * `lock_timeout`, and the last save would not be applied. This watcher runs one after the other.
 */
async function watch(target: Target, options: Options): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production') {
    throw new UsageError(
      'watch does not run with NODE_ENV=production. Commit current.sql, then run `npm run db -- migrate`.',
    );
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

/** Exits without waiting for a running application, which Postgres then rolls back. */
async function end(target: Target): Promise<void> {
  try {
    await target.close();
  } finally {
    // Exit even if closing fails, for example because the checkout's folder was deleted.
    process.exit(0);
  }
}
