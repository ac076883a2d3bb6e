import { UsageError } from '../../common/usageError.ts';
import type { CommittedMigration } from '../../postgres/migrate/committed.ts';

/**
 * Selects the migrations of this developer, which have to move after the others. If two migrations follow the same one,
 * the one that this database has applied is the developer's own. The other came with git and is not applied yet.
 * Successors of an own migration are own, too.
 *
 * @param applied hashes of the migrations that the database has recorded.
 * @param named file names given with --mine. They always count as own.
 * @returns the own migrations, in their order.
 * @throws UsageError if the database has applied neither or both of two competing migrations.
 */
export function ownMigrations(
  migrations: readonly CommittedMigration[],
  applied: readonly string[],
  named: readonly string[],
): CommittedMigration[] {
  const unknown = named.find((name) => !migrations.some(({ filename }) => filename === name));
  if (unknown) throw new UsageError(`There is no file migrations/committed/${unknown}.`);
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
      `${lost.filename} follows a migration that does not exist. If it is yours, move it after the others: npm run db -- rebase --mine ${lost.filename}`,
    );
  }
  return migrations.filter((one) => own.has(one));
}

function question(candidates: readonly CommittedMigration[], applied: number): string {
  const names = candidates.map(({ filename }) => filename);
  const has = applied === 0 ? 'none of them' : 'more than one of them';
  return `${names.join(' and ')} follow the same migration, and the database has ${has}. Name the one that only you have, for example: npm run db -- rebase --mine ${names.at(-1)}`;
}
