import { once as event } from 'node:events';
import { watch as watchCurrent } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { migrateSettings } from './migrateSettings.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

export const watchCommand = command('watch', 'apply current.sql now and at every save')
  .option('--once', 'apply it once and stop')
  .action(onTarget<{ once?: boolean }>((target, { once = false }) => watch(target, once)));

/** Applies current.sql, and again at every save until the process is told to stop. */
async function watch(target: Target, once: boolean): Promise<ExitCode> {
  console.log(`${once ? 'Applying' : 'Watching'} current.sql on ${target.name}`);
  await watchCurrent(await migrateSettings(target, console.log), once);
  if (!once) {
    await Promise.race([event(process, 'SIGINT'), event(process, 'SIGTERM')]);
    // graphile-migrate's watcher cannot be closed; it ends with the process.
    await target.close();
    process.exit(0);
  }
  return 0;
}
