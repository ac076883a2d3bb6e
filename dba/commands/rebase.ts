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
import { withReport } from '../cli/withReport.ts';
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
  command('rebase', 'put your migrations behind those of others that have the same number'),
)
  .option('--mine <files...>', 'which are yours, where the database does not tell')
  .action(onTarget<Options>(rebase));

/** Commits one's own migrations again behind the others': new numbers, new hashes, fixtures as they are now. */
async function rebase(target: Target, { mine = [], wait }: Options): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production') {
    throw new UsageError('Migrations are put in order where they are written, before production has any of them.');
  }
  await demandShadow(target);
  await demandBlankCurrent();
  const done = await withReport(`Putting migrations in order on ${target.name}`, (report) =>
    withMigrationLock(target.ownerUrl, 'rebase', wait, (client) => reorder(target, client, mine, report)),
  );
  if (done) {
    await writeSnapshot(target);
    console.log('Next: npm run schema, then commit all of it with git');
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
  if (broken.length > 0) throw new UsageError(['The migrations of the others are no chain:', ...broken].join('\n  '));
  if (own.length === 0) {
    report('Each migration is behind the one before it: nothing to do');
    return false;
  }
  // Out of graphile-migrate's sight, and still there if this is killed.
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
  // As graphile-migrate's uncommit has it: what was included is included again, as others may have changed it.
  const sql = body.replace(/^--! Included (\S+)$[\s\S]*?^--! EndIncluded \1$/gm, '--! include $1');
  const settings = await migrateSettings(target, report);
  await keepingCurrent(async () => {
    await writeFile(currentFile, serializeMigration(sql, { Message: message ?? undefined }));
    await commitCurrent(settings);
  });
}

function failure(filename: string, { message }: Error): string {
  return `${filename} does not run behind the others: ${message}
It is where it was. It has to be able to run again on a database that has had it: begin with drop … if exists. Change it there and run: npm run db -- rebase --mine ${filename}`;
}
