import { commit as commitCurrent } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { migrateSettings } from './migrateSettings.ts';
import { demandShadow } from './shadow.ts';
import { writeSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

export const commitCommand = command(
  'commit',
  'move current.sql to migrations/committed, after trying it on the shadow database',
)
  .option('-m, --message <words>', 'what the migration does; becomes part of its file name')
  .action(onTarget<{ message?: string }>((target, { message }) => commit(target, message)));

/** Makes current.sql the next committed migration: tried on the shadow database, then applied to the target. */
async function commit(target: Target, message: string | undefined): Promise<ExitCode> {
  demandShadow(target);
  console.log(`Committing current.sql on ${target.name}`);
  await commitCurrent(await migrateSettings(target, console.log), message);
  await writeSnapshot(target);
  return 0;
}
