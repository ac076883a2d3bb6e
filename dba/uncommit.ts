import { uncommit as uncommitLast } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { migrateSettings } from './migrateSettings.ts';
import { demandShadow } from './shadow.ts';
import { writeSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

export const uncommitCommand = command(
  'uncommit',
  'move the last committed migration back to current.sql; never once others have applied it',
).action(onTarget(uncommit));

/** Takes the last committed migration back into current.sql, and out of the database's record. */
async function uncommit(target: Target): Promise<ExitCode> {
  demandShadow(target);
  console.log(`Uncommitting the last migration of ${target.name}`);
  await uncommitLast(await migrateSettings(target, console.log));
  await writeSnapshot(target);
  return 0;
}
