import { commit as commitCurrent } from 'graphile-migrate';
import { command, onTarget } from './command.ts';
import { readCommitted } from './committed.ts';
import { demandNewCurrent, keepingCurrent } from './currentSql.ts';
import { migrateSettings } from './migrateSettings.ts';
import { waiting } from './migrationLock.ts';
import { demandShadow } from './shadow.ts';
import { writeSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';
import { whileMigrating } from './whileMigrating.ts';
import { withReport } from './withReport.ts';

interface Options {
  readonly message?: string;
  readonly wait: number;
}

export const commitCommand = waiting(
  command('commit', 'move current.sql to migrations/committed, after trying it on the shadow database'),
)
  .option('-m, --message <words>', 'what the migration does; becomes part of its file name')
  .action(onTarget<Options>(commit));

/** Makes current.sql the next committed migration: tried on the shadow database, then applied to the target. */
export async function commit(target: Target, { message, wait }: Options): Promise<ExitCode> {
  await demandShadow(target);
  await withReport(`Committing current.sql on ${target.name}`, (report) =>
    whileMigrating(target, { verb: 'commit', wait }, async () => {
      await demandNewCurrent((await readCommitted()).migrations.at(-1));
      const settings = await migrateSettings(target, report);
      await keepingCurrent(() => commitCurrent(settings, message));
    }),
  );
  await writeSnapshot(target);
  return 0;
}
