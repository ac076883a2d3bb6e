import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { readCommitted } from '../../postgres/migrate/committed.ts';
import type { Target } from '../../postgres/target/target.ts';
import { noteAttempts } from './attempts.ts';
import { chainProblems } from './chain.ts';
import { demandSoundCommitted, demandSoundCurrent } from './demandSound.ts';
import { withMigrationLock } from './migrationLock.ts';
import { invalidIndexes, migrationState } from './migrationState.ts';

/** What a verb that applies migrations is called, and how many seconds it waits for another one. */
export interface Migrating {
  readonly verb: string;
  readonly wait: number;
}

/**
 * Runs `work`, which lets graphile-migrate apply migrations to the target, while nobody else does.
 *
 * @throws UsageError where that would end badly: a broken chain; a record of migrations that the files do not continue; an
 *   invalid index, which the migration that broke off would take for made.
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
  refuse('The committed migrations are no chain:', [...unreadable, ...chainProblems(migrations)]);
  const { foreign, halfApplied, invalidIndexes: invalid, pending } = await migrationState(client, migrations);
  refuse(
    'The database has other migrations than the files. `npm run db -- reset` builds one of your own again:',
    foreign,
  );
  demandSoundCommitted(pending);
  if (halfApplied) {
    refuse('A migration broke off:', invalid);
    console.error(`${halfApplied}; it is run again`);
  }
  await noteAttempts(
    client,
    pending.filter(({ transaction }) => !transaction),
  );
}

function refuse(what: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new UsageError([what, ...problems].join('\n  '));
}
