import { commit as commitCurrent, uncommit as uncommitLast } from 'graphile-migrate';
import { migrateSettings } from './migrateSettings.ts';
import { demandShadow } from './shadow.ts';
import { writeSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

/** Makes current.sql the next committed migration: tried on the shadow database, then applied to the target. */
export async function commit(target: Target, message: string | undefined): Promise<ExitCode> {
  demandShadow(target);
  console.log(`Committing current.sql on ${target.name}`);
  await commitCurrent(await migrateSettings(target, console.log), message);
  await writeSnapshot(target);
  return 0;
}

/** Takes the last committed migration back into current.sql, and out of the database's record. */
export async function uncommit(target: Target): Promise<ExitCode> {
  demandShadow(target);
  console.log(`Uncommitting the last migration of ${target.name}`);
  await uncommitLast(await migrateSettings(target, console.log));
  await writeSnapshot(target);
  return 0;
}
