import { commit as commitCurrent, reset, type Settings, watch } from 'graphile-migrate';
import { withClient } from './client.ts';
import { command, onTarget } from './command.ts';
import { readCommitted } from './committed.ts';
import { demandNewCurrent, keepingCurrent } from './currentSql.ts';
import { inspectCatalog, readingCatalog } from './linter/catalog.ts';
import { readRules } from './linter/rules.ts';
import { migrateSettings } from './migrateSettings.ts';
import { waiting } from './migrationLock.ts';
import { demandShadow } from './shadow.ts';
import { writeSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';
import { type ExitCode, UsageError } from './verb.ts';
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
      await demandApi(target, settings);
      await keepingCurrent(() => commitCurrent(settings, message));
    }),
  );
  await writeSnapshot(target);
  return 0;
}

/**
 * Applies current.sql to the shadow database, which the commit erases again, and builds the API from it.
 *
 * @throws UsageError where it cannot be built: no server would start with this migration.
 */
async function demandApi({ shadowUrl = '' }: Target, settings: Settings): Promise<void> {
  await reset(settings, true);
  await watch(settings, true, true);
  const rules = (await readRules()).filter(({ name }) => name === 'api-not-buildable');
  const [finding] = await withClient(shadowUrl, (client) =>
    readingCatalog(client, () => inspectCatalog(client, rules)),
  );
  if (finding)
    throw new UsageError(
      `No server could start with this migration. ${finding.object}: ${finding.detail} (${finding.page})`,
    );
}
