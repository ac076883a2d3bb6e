import { migrate as applyMigrations } from 'graphile-migrate';
import type { ExitCode } from '../../common/usageError.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { withReport } from '../cli/progress.ts';
import { waiting } from '../migrations/migrationLock.ts';
import { whileMigrating } from '../migrations/whileMigrating.ts';

export const migrateCommand = waiting(
  command('migrate', 'apply the committed migrations that the database lacks'),
).action(onTarget<{ wait: number }>((target, { wait }) => migrate(target, wait)));

export async function migrate(target: Target, wait: number): Promise<ExitCode> {
  await withReport(`Migrating ${target.name}`, (report) =>
    whileMigrating(target, { verb: 'migrate', wait }, async () =>
      applyMigrations(await migrateSettings(target, report)),
    ),
  );
  return 0;
}
