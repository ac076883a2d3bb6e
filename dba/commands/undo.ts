import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { type CommittedMigration, readCommitted } from '../../postgres/migrate/committed.ts';
import { currentFile, demandBlankCurrent } from '../../postgres/migrate/currentSql.ts';
import { withScratch } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { withProgress } from '../cli/progress.ts';
import { reportProblems } from '../cli/reportProblems.ts';
import { chainProblems } from '../migrations/chain.ts';
import { fixturesFolder, included } from '../migrations/fixtures.ts';
import { reverseLast } from '../undo/reverseLast.ts';

export const undoCommand = command(
  'undo',
  'write the reverse of the last committed migration into current.sql, as the next migration',
).action(onTarget(undo));

/** Writes the reverse of the last migration into current.sql, and tells what has no reverse. Changes no database. */
async function undo(target: Target): Promise<ExitCode> {
  await demandBlankCurrent();
  const { migrations, unreadable } = await readCommitted();
  const broken = [...unreadable, ...chainProblems(migrations)];
  if (broken.length > 0) throw new UsageError(broken.join('\n'));
  const last = migrations.at(-1);
  if (!last) throw new UsageError('There is no committed migration.');
  const earlier = new Map(migrations.slice(0, -1).flatMap(({ body }) => included(body)));
  const fixtures = await earlierFixtures(earlier, last);
  const { statements, lost } = await withProgress(`Trying the reverse of ${last.filename} beside ${target.name}`, () =>
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
    `Wrote the reverse of ${last.filename} into current.sql, as the next migration: read it, then commit it.`,
  );
  console.log('Databases that have the last migration go forward with it. Rows and values do not come back.');
  for (const { path } of fixtures) console.log(`Wrote migrations/fixtures/${path} as it was before`);
  const first = included(last.body).filter(([path]) => !earlier.has(path));
  if (first.length > 0) {
    console.log(
      `No earlier migration has these fixtures, they stay as they are: ${first.map(([path]) => path).join(', ')}`,
    );
  }
  reportProblems(lost);
  return lost.length === 0 ? 0 : 1;
}

interface Fixture {
  readonly path: string;
  readonly sql: string;
}

/** The fixtures that the last migration included, as an earlier one had them. */
async function earlierFixtures(earlier: ReadonlyMap<string, string>, last: CommittedMigration): Promise<Fixture[]> {
  const changed: Fixture[] = [];
  for (const [path, now] of included(last.body)) {
    const sql = earlier.get(path);
    if (sql === undefined || sql === now) continue;
    const onDisk = await readFile(join(fixturesFolder, path), 'utf8').catch(() => undefined);
    // Another fixture's include is compiled into it: the file cannot be told from that.
    if (sql.includes('\n--! Included ')) throw new UsageError(`${path} includes another fixture: put it back by hand.`);
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
    `-- The reverse of ${filename}, from the schemas before and behind it.`,
    '-- What is dropped here is dropped with its rows and values; what that migration did to rows is not undone.',
    ...lost.map((sentence) => `-- Not undone: ${sentence.replaceAll('\n', ' ')}`),
    '',
    ...fixtures.map(({ path }) => `--! include ${path}`),
    ...statements.map((sql) => `${sql};${sql.includes('\n') ? '\n' : ''}`),
    '',
  ].join('\n');
}
