import { migrate as applyMigrations } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { migrateSettings } from './migrateSettings.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

export const migrateCommand = command(
  'migrate',
  'apply the committed migrations that the database does not have',
).action(onTarget(migrate));

/** Applies the committed migrations that the database does not have. */
async function migrate(target: Target): Promise<ExitCode> {
  console.log(`Migrating ${target.name}`);
  await applyMigrations(await migrateSettings(target, console.log));
  return 0;
}
