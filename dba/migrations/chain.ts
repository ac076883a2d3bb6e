import type { CommittedMigration } from '../../postgres/migrate/committed.ts';

/**
 * Checks that each committed migration follows the one before it. Returns a sentence for each problem: a duplicate
 * number, a previous hash that does not match, or a body that does not match its own hash.
 *
 * @param migrations sorted by number.
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
          ? `${filename} does not follow ${before.filename}: it was committed after another migration; run \`npm run db -- rebase\``
          : `${filename} is the first migration, but its header names a previous one: a file is missing`,
      );
    }
    if (bodyHash !== hash) {
      problems.push(
        `${filename} was edited after it was committed: its body has the hash ${bodyHash}, its header says ${hash}`,
      );
    }
    return problems;
  });
}
