import { migrate as applyMigrations } from 'graphile-migrate';
import { migrateSettings } from './migrateSettings.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

/** Applies the committed migrations that the database does not have. */
export async function migrate(target: Target): Promise<ExitCode> {
  console.log(`Migrating ${target.name}`);
  await applyMigrations(await migrateSettings(target, console.log));
  return 0;
}
