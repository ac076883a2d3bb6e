import { rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commit as commitCurrent } from 'graphile-migrate';
import type pg from 'pg';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { serializeMigration } from '../../postgres/internals/graphileMigrate.ts';
import {
  asideSuffix,
  type CommittedMigration,
  committedFolder,
  readCommitted,
} from '../../postgres/migrate/committed.ts';
import { currentFile, demandBlankCurrent, keepingCurrent } from '../../postgres/migrate/currentSql.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { demandShadow } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { withReport } from '../cli/progress.ts';
import { chainProblems } from '../migrations/chain.ts';
import { waiting, withMigrationLock } from '../migrations/migrationLock.ts';
import { appliedMigrations } from '../migrations/migrationState.ts';
import { ownMigrations } from '../rebase/ownMigrations.ts';
import { writeSnapshot } from './snapshot.ts';

interface Options {
  readonly mine?: string[];
  readonly wait: number;
}

export const rebaseCommand = waiting(
  command('rebase', 'renumber your migrations so that they follow those of other developers with the same numbers'),
)
  .option('--mine <files...>', 'your migrations, if the database does not identify them')
  .action(onTarget<Options>(rebase));

/** Commits the developer's own migrations again after the others, with new numbers and hashes and current fixtures. */
async function rebase(target: Target, { mine = [], wait }: Options): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production') {
    throw new UsageError(
      'rebase does not run with NODE_ENV=production. Rebase in a development checkout, before production applies the migrations.',
    );
  }
  await demandShadow(target);
  await demandBlankCurrent();
  const done = await withReport(`Rebasing migrations on ${target.name}`, (report) =>
    withMigrationLock(target.ownerUrl, 'rebase', wait, (client) => reorder(target, client, mine, report)),
  );
  if (done) {
    await writeSnapshot(target);
    console.log('Next: npm run schema, then commit all changes with git');
  }
  return 0;
}

async function reorder(
  target: Target,
  client: pg.Client,
  named: readonly string[],
  report: (line: string) => void,
): Promise<boolean> {
  const { migrations, unreadable } = await readCommitted();
  if (unreadable.length > 0) throw new UsageError(unreadable.join('\n'));
  const applied = (await appliedMigrations(client)).map(({ hash }) => hash);
  const own = ownMigrations(migrations, applied, named);
  const others = migrations.filter((one) => !own.includes(one));
  const broken = chainProblems(others);
  if (broken.length > 0) throw new UsageError(['The chain of the other migrations is broken:', ...broken].join('\n  '));
  if (own.length === 0) {
    report('Each migration follows the one before it: nothing to do');
    return false;
  }
  // Rename the files so that graphile-migrate ignores them. They survive if this process is killed.
  for (const { filename } of own) await rename(join(committedFolder, filename), aside(filename));
  const hashes = own.map(({ hash }) => hash);
  if (applied.length > 0) {
    await client.query('delete from graphile_migrate.migrations where hash = any($1)', [hashes]);
  }
  for (const [index, one] of own.entries()) {
    try {
      await commitAgain(target, one, report);
    } catch (error) {
      for (const { filename } of own.slice(index)) await rename(aside(filename), join(committedFolder, filename));
      throw new UsageError(failure(one.filename, error as Error));
    }
    await unlink(aside(one.filename));
  }
  return true;
}

const aside = (filename: string) => join(committedFolder, filename + asideSuffix);

async function commitAgain(target: Target, { body, message }: CommittedMigration, report: (line: string) => void) {
  // Restore the include directives, as graphile-migrate's uncommit does, because others may have changed the fixtures.
  const sql = body.replace(/^--! Included (\S+)$[\s\S]*?^--! EndIncluded \1$/gm, '--! include $1');
  const settings = await migrateSettings(target, report);
  await keepingCurrent(async () => {
    await writeFile(currentFile, serializeMigration(sql, { Message: message ?? undefined }));
    await commitCurrent(settings);
  });
}

function failure(filename: string, { message }: Error): string {
  return `${filename} fails after the others: ${message}
The file is unchanged. It must be able to run again on a database that has already applied it: start with drop … if exists. Edit the file and run: npm run db -- rebase --mine ${filename}`;
}
