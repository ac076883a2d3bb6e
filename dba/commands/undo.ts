import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { type CommittedMigration, readCommitted } from '../../postgres/migrate/committed.ts';
import { currentFile, demandBlankCurrent } from '../../postgres/migrate/currentSql.ts';
import { withScratch } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { reportProblems } from '../cli/output.ts';
import { withProgress } from '../cli/progress.ts';
import { chainProblems } from '../migrations/chain.ts';
import { fixturesFolder, included } from '../migrations/fixtures.ts';
import { reverseLast } from '../undo/reverseLast.ts';

export const undoCommand = command(
  'undo',
  'write the reverse of the last committed migration to current.sql, as the next migration',
).action(onTarget(undo));

/** Writes the reverse of the last migration to current.sql and prints what it cannot undo. Changes no database. */
async function undo(target: Target): Promise<ExitCode> {
  await demandBlankCurrent();
  const { migrations, unreadable } = await readCommitted();
  const broken = [...unreadable, ...chainProblems(migrations)];
  if (broken.length > 0) throw new UsageError(broken.join('\n'));
  const last = migrations.at(-1);
  if (!last) throw new UsageError('There is no committed migration.');
  const earlier = new Map(migrations.slice(0, -1).flatMap(({ body }) => included(body)));
  const fixtures = await earlierFixtures(earlier, last);
  const { statements, lost } = await withProgress(
    `Testing the reverse of ${last.filename} in a scratch database beside ${target.name}`,
    () =>
      withScratch(target, (scratch) =>
        reverseLast(
          scratch,
          migrations,
          fixtures.map(({ sql }) => sql),
        ),
      ),
  );
  for (const { path, sql } of fixtures) await writeFile(join(fixturesFolder, path), `${sql}\n`);
  await writeFile(currentFile, text(last, fixtures, statements, lost));
  console.log(
    `Wrote the reverse of ${last.filename} to current.sql, as the next migration. Review it, then commit it.`,
  );
  console.log(
    'It also applies to databases that already have the last migration. Dropped rows and values do not come back.',
  );
  for (const { path } of fixtures) console.log(`Wrote migrations/fixtures/${path} as it was before`);
  const first = included(last.body).filter(([path]) => !earlier.has(path));
  if (first.length > 0) {
    console.log(
      `These fixtures stay unchanged, because no earlier migration includes them: ${first.map(([path]) => path).join(', ')}`,
    );
  }
  reportProblems(lost);
  return lost.length === 0 ? 0 : 1;
}

interface Fixture {
  readonly path: string;
  readonly sql: string;
}

/** Returns the fixtures that the last migration changed, with their earlier text. */
async function earlierFixtures(earlier: ReadonlyMap<string, string>, last: CommittedMigration): Promise<Fixture[]> {
  const changed: Fixture[] = [];
  for (const [path, now] of included(last.body)) {
    const sql = earlier.get(path);
    if (sql === undefined || sql === now) continue;
    const onDisk = await readFile(join(fixturesFolder, path), 'utf8').catch(() => undefined);
    // The compiled text contains the nested fixture, so the original file cannot be derived from it.
    if (sql.includes('\n--! Included ')) throw new UsageError(`${path} includes another fixture: restore it by hand.`);
    if (onDisk?.trim() !== now) {
      throw new UsageError(
        `migrations/fixtures/${path} has changed since ${last.filename}: include it in a migration first.`,
      );
    }
    changed.push({ path, sql });
  }
  return changed;
}

function text(
  { filename, message }: CommittedMigration,
  fixtures: readonly Fixture[],
  statements: readonly string[],
  lost: readonly string[],
): string {
  return [
    `--! Message: undo ${message ?? filename.replace('.sql', '')}`,
    '',
    `-- The reverse of ${filename}, derived from the schemas before and after it.`,
    '-- Dropped tables and columns lose their data. Changes that the migration made to rows are not undone.',
    ...lost.map((sentence) => `-- Not undone: ${sentence.replaceAll('\n', ' ')}`),
    '',
    ...fixtures.map(({ path }) => `--! include ${path}`),
    ...statements.map((sql) => `${sql};${sql.includes('\n') ? '\n' : ''}`),
    '',
  ].join('\n');
}
