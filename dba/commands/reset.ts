import { reset as resetDatabase } from 'graphile-migrate';
import type { ExitCode } from '../../common/usageError.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { demandAdmin } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { type Confirmation, confirm, withConfirmation } from '../cli/confirmation.ts';
import { withReport } from '../cli/progress.ts';

export const resetCommand = withConfirmation(
  command('reset', 'drop the database, create it again and apply the committed migrations'),
).action(onTarget(reset));

async function reset(target: Target, permission: Confirmation): Promise<ExitCode> {
  demandAdmin(target);
  if (!(await confirm(`This erases ${target.name}.`, permission))) return 1;
  await withReport(`Resetting ${target.name}`, async (report) => resetDatabase(await migrateSettings(target, report)));
  return 0;
}
