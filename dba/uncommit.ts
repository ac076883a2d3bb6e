import { uncommit as uncommitLast } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { demandBlankCurrent } from './currentSql.ts';
import { migrateSettings } from './migrateSettings.ts';
import { waiting, withMigrationLock } from './migrationLock.ts';
import { demandShadow } from './shadow.ts';
import { writeSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';
import { type ExitCode, UsageError } from './verb.ts';
import { withReport } from './withReport.ts';

export const uncommitCommand = waiting(
  command('uncommit', 'move the last committed migration back to current.sql; never once others have applied it'),
).action(onTarget<{ wait: number }>((target, { wait }) => uncommit(target, wait)));

/** Takes the last committed migration back into current.sql, and out of the database's record. */
async function uncommit(target: Target, wait: number): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production') {
    throw new UsageError(
      'What production has applied stays: write the next migration (`npm run db -- undo` begins it).',
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
