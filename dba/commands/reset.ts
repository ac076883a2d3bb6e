import { reset as resetDatabase } from 'graphile-migrate';
import type { ExitCode } from '../../common/usageError.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { demandAdmin } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { allowed, dangerous, type Permission } from '../cli/danger.ts';
import { withReport } from '../cli/withReport.ts';

export const resetCommand = dangerous(
  command('reset', 'drop the database, create it again and apply the committed migrations'),
).action(onTarget(reset));

/** Drops the target, creates it again and applies the committed migrations. */
async function reset(target: Target, permission: Permission): Promise<ExitCode> {
  demandAdmin(target);
  if (!(await allowed(`This erases ${target.name}.`, permission))) return 1;
  await withReport(`Resetting ${target.name}`, async (report) => resetDatabase(await migrateSettings(target, report)));
  return 0;
}
