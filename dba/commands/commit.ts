import { commit as commitCurrent, reset, type Settings, watch } from 'graphile-migrate';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { inspectCatalog, readingCatalog } from '../../lint/catalog.ts';
import { readRules } from '../../lint/rules.ts';
import { readCommitted } from '../../postgres/migrate/committed.ts';
import { demandNewCurrent, keepingCurrent } from '../../postgres/migrate/currentSql.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { demandShadow } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { command, onTarget } from '../cli/command.ts';
import { withReport } from '../cli/progress.ts';
import { waiting } from '../migrations/migrationLock.ts';
import { whileMigrating } from '../migrations/whileMigrating.ts';
import { buildServedApi } from '../servedApi/lintSchema.ts';
import { writeSnapshot } from './snapshot.ts';

interface Options {
  readonly message?: string;
  readonly wait: number;
}

export const commitCommand = waiting(
  command('commit', 'test current.sql on the shadow database, then move it to migrations/committed'),
)
  .option('-m, --message <words>', 'what the migration does; becomes part of its file name')
  .action(onTarget<Options>(commit));

/** Makes current.sql the next committed migration: tests it on the shadow database, then applies it to the target. */
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
 * Applies current.sql to the shadow database and builds the API from it. The commit resets the shadow database afterwards.
 *
 * @throws UsageError if the API cannot be built, because no server would start with this migration.
 */
async function demandApi({ shadowUrl = '' }: Target, settings: Settings): Promise<void> {
  await reset(settings, true);
  await watch(settings, true, true);
  const rules = (await readRules()).filter(({ name }) => name === 'api-not-buildable');
  const [finding] = await withClient(shadowUrl, (client) =>
    readingCatalog(client, () => inspectCatalog(client, rules, buildServedApi)),
  );
  if (finding)
    throw new UsageError(
      `No server could start with this migration. ${finding.object}: ${finding.detail} (${finding.page})`,
    );
}
