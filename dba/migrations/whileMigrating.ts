import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { readCommitted } from '../../postgres/migrate/committed.ts';
import type { Target } from '../../postgres/target/target.ts';
import { noteAttempts } from './attempts.ts';
import { chainProblems } from './chain.ts';
import { demandSoundCommitted, demandSoundCurrent } from './demandSound.ts';
import { withMigrationLock } from './migrationLock.ts';
import { invalidIndexes, migrationState } from './migrationState.ts';

export interface Migrating {
  /** Name of the subcommand that applies migrations. */
  readonly verb: string;
  /** Seconds to wait for another process that migrates. */
  readonly wait: number;
}

/**
 * Runs `work` under the migration lock. `work` lets graphile-migrate apply migrations to the target.
 *
 * @throws UsageError if the chain of files is broken, or if the database has migrations that the files lack.
 * @throws UsageError if an interrupted migration left an invalid index, because a new attempt would skip that index.
 */
export async function whileMigrating<Result>(
  { ownerUrl }: Pick<Target, 'ownerUrl'>,
  { verb, wait }: Migrating,
  work: () => Promise<Result>,
): Promise<Result> {
  return withMigrationLock(ownerUrl, verb, wait, async (client) => {
    if (verb !== 'migrate') await demandSoundCurrent();
    await prepare(client);
    try {
      return await work();
    } catch (error) {
      const left = await invalidIndexes(client).catch(() => []);
      if (left.length === 0) throw error;
      throw new UsageError([(error as Error).message, ...left].join('\n'), { cause: error });
    }
  });
}

async function prepare(client: pg.Client): Promise<void> {
  const { migrations, unreadable } = await readCommitted();
  refuse('The chain of committed migrations is broken:', [...unreadable, ...chainProblems(migrations)]);
  const { foreign, halfApplied, invalidIndexes: invalid, pending } = await migrationState(client, migrations);
  refuse(
    'The migrations of the database differ from the files. To rebuild a development database, run `npm run db -- reset`:',
    foreign,
  );
  demandSoundCommitted(pending);
  if (halfApplied) {
    refuse('A migration was interrupted:', invalid);
    console.error(`${halfApplied}; it will be run again`);
  }
  await noteAttempts(
    client,
    pending.filter(({ transaction }) => !transaction),
  );
}

function refuse(what: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new UsageError([what, ...problems].join('\n  '));
}
