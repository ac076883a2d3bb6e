import { reset as resetDatabase } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { allowed, dangerous, type Permission } from './danger.ts';
import { migrateSettings } from './migrateSettings.ts';
import { demandAdmin } from './shadow.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';
import { withReport } from './withReport.ts';

export const resetCommand = dangerous(
  command('reset', 'drop the database, create it anew and apply the committed migrations'),
).action(onTarget(reset));

/** Drops the target, creates it anew and applies the committed migrations. */
async function reset(target: Target, permission: Permission): Promise<ExitCode> {
  demandAdmin(target);
  if (!(await allowed(`This erases ${target.name}.`, permission))) return 1;
  await withReport(`Resetting ${target.name}`, async (report) => resetDatabase(await migrateSettings(target, report)));
  return 0;
}
