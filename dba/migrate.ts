import { migrate as applyMigrations } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { migrateSettings } from './migrateSettings.ts';
import { waiting } from './migrationLock.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';
import { whileMigrating } from './whileMigrating.ts';
import { withReport } from './withReport.ts';

export const migrateCommand = waiting(
  command('migrate', 'apply the committed migrations that the database does not have'),
).action(onTarget<{ wait: number }>((target, { wait }) => migrate(target, wait)));

/** Applies the committed migrations that the database does not have. */
export async function migrate(target: Target, wait: number): Promise<ExitCode> {
  await withReport(`Migrating ${target.name}`, (report) =>
    whileMigrating(target, { verb: 'migrate', wait }, async () =>
      applyMigrations(await migrateSettings(target, report)),
    ),
  );
  return 0;
}
