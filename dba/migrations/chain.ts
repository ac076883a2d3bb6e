import type { CommittedMigration } from '../../postgres/migrate/committed.ts';

/**
 * What is wrong with the chain of migrations, a sentence each: two with one number, one that does not name the hash of the
 * one before it, one whose body is not what its hash was made of.
 *
 * @param migrations in the order of their numbers.
 */
export function chainProblems(migrations: readonly CommittedMigration[]): string[] {
  return migrations.flatMap((migration, index) => {
    const { filename, number, previous, hash, bodyHash } = migration;
    const before = migrations[index - 1];
    const problems: string[] = [];
    if (before?.number === number) {
      problems.push(`${before.filename} and ${filename} have the same number: run \`npm run db -- rebase\``);
    } else if (previous !== (before?.hash ?? null)) {
      problems.push(
        before
          ? `${filename} does not follow ${before.filename}: it was made behind another migration; run \`npm run db -- rebase\``
          : `${filename} is the first, but names one before it: a file is missing`,
      );
    }
    if (bodyHash !== hash) {
      problems.push(
        `${filename} was edited after it was committed: its body makes ${bodyHash}, its header says ${hash}`,
      );
    }
    return problems;
  });
}
