import { UsageError } from '../../common/usageError.ts';
import type { CommittedMigration } from '../../postgres/migrate/committed.ts';

/**
 * Which migrations have to go behind the others, in their order. Where two follow the same one, the one that this database
 * has applied is one's own, for others' have come with git and are not in it yet; what follows it is one's own, too.
 *
 * @param applied hashes that the database has recorded.
 * @param named file names given with --mine; they are taken as they are.
 * @throws UsageError where the database has neither of two, or both.
 */
export function ownMigrations(
  migrations: readonly CommittedMigration[],
  applied: readonly string[],
  named: readonly string[],
): CommittedMigration[] {
  const unknown = named.find((name) => !migrations.some(({ filename }) => filename === name));
  if (unknown) throw new UsageError(`There is no migrations/committed/${unknown}.`);
  const own = new Set(migrations.filter(({ filename }) => named.includes(filename)));
  const followers = (hash: string | null) => migrations.filter((one) => one.previous === hash && !own.has(one));
  const add = (one: CommittedMigration) => {
    own.add(one);
    followers(one.hash).forEach(add);
  };
  [...own].forEach(add);

  const others = new Set<CommittedMigration>();
  for (let hash: string | null = null; ; ) {
    const [next, ...more] = followers(hash);
    if (!next) break;
    if (more.length > 0) {
      const candidates = [next, ...more];
      const mine = candidates.filter((one) => applied.includes(one.hash));
      if (mine.length !== candidates.length - 1) throw new UsageError(question(candidates, mine.length));
      mine.forEach(add);
    } else {
      others.add(next);
      hash = next.hash;
    }
  }
  const lost = migrations.find((one) => !own.has(one) && !others.has(one));
  if (lost) {
    throw new UsageError(
      `${lost.filename} follows a migration that is not there. If it is yours, put it behind the others: npm run db -- rebase --mine ${lost.filename}`,
    );
  }
  return migrations.filter((one) => own.has(one));
}

function question(candidates: readonly CommittedMigration[], applied: number): string {
  const names = candidates.map(({ filename }) => filename);
  const has = applied === 0 ? 'none of them' : 'more than one of them';
  return `${names.join(' and ')} follow the same migration, and the database has ${has}. Say which is yours and nobody else's yet: npm run db -- rebase --mine ${names.at(-1)}`;
}
