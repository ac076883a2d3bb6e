import { uncommit as uncommitLast } from 'graphile-migrate';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { demandBlankCurrent } from '../../postgres/migrate/currentSql.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { demandShadow } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { withReport } from '../cli/progress.ts';
import { waiting, withMigrationLock } from '../migrations/migrationLock.ts';
import { writeSnapshot } from './snapshot.ts';

export const uncommitCommand = waiting(
  command('uncommit', 'move the last committed migration back to current.sql; only before others have applied it'),
).action(onTarget<{ wait: number }>((target, { wait }) => uncommit(target, wait)));

/** Moves the last committed migration back to current.sql and deletes it from the database's record. */
async function uncommit(target: Target, wait: number): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production') {
    throw new UsageError(
      'A migration that production has applied cannot be uncommitted. Write a new migration; `npm run db -- undo` drafts it.',
    );
  }
  await demandShadow(target);
  await demandBlankCurrent();
  await withReport(`Uncommitting the last migration of ${target.name}`, (report) =>
    withMigrationLock(target.ownerUrl, 'uncommit', wait, async () =>
      uncommitLast(await migrateSettings(target, report)),
    ),
  );
  await writeSnapshot(target);
  return 0;
}
