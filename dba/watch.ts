import { watch as watchCurrent } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { lintAfterCurrent } from './linter/lintAfterCurrent.ts';
import { migrateSettings } from './migrateSettings.ts';
import { waiting } from './migrationLock.ts';
import type { Target } from './target.ts';
import { type ExitCode, UsageError } from './verb.ts';
import { whileMigrating } from './whileMigrating.ts';

interface Options {
  readonly once?: boolean;
  readonly wait: number;
}

export const watchCommand = waiting(command('watch', 'apply current.sql now and at every save, and lint'))
  .option('--once', 'apply it once and stop; exit code 1 for errors of the linter')
  .action(onTarget<Options>(watch));

/** Applies current.sql and inspects what it made, and again at every save until the process is told to stop. */
async function watch(target: Target, { once = false, wait }: Options): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production') {
    throw new UsageError('What is not committed is not for production: there it is `npm run db -- migrate`.');
  }
  console.log(`${once ? 'Applying' : 'Watching'} current.sql on ${target.name}`);
  if (!once) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end(target));
  const { report, linted } = lintAfterCurrent(target);
  await whileMigrating(target, { verb: 'watch', wait }, async () =>
    watchCurrent(await migrateSettings(target, report), once),
  );
  const fine = await linted();
  // graphile-migrate's watcher keeps the process; without this one the target would be closed under it.
  if (!once) await new Promise(() => {});
  return fine ? 0 : 1;
}

/** graphile-migrate's watcher cannot be closed; it ends with the process. */
async function end(target: Target): Promise<void> {
  try {
    await target.close();
  } finally {
    // Also where the folder of the checkout is gone, and the target with it.
    process.exit(0);
  }
}
