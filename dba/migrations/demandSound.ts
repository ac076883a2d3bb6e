import { UsageError } from '../../common/usageError.ts';
import { readSources } from '../../lint/sources.ts';
import type { CommittedMigration } from '../../postgres/migrate/committed.ts';
import { readGmrc } from '../../postgres/migrate/gmrc.ts';
import { committedProblems, encodingProblems, textProblems } from './checkText.ts';

/**
 * Checks current.sql and the fixtures before any of their statements run.
 *
 * @throws UsageError with every mistake, its line and the SQL to write instead.
 */
export async function demandSoundCurrent(): Promise<void> {
  const { pgSettings } = await readGmrc();
  const searchPath = pgSettings?.search_path;
  const sources = (await readSources()).filter(({ committed }) => !committed);
  refuse(
    sources.flatMap(({ file, sql, bytes }) => {
      const encoding = encodingProblems(file, bytes);
      return encoding.length > 0 ? encoding : textProblems(file, sql, String(searchPath));
    }),
  );
}

/** @throws UsageError if a committed migration could be applied halfway. */
export function demandSoundCommitted(migrations: readonly CommittedMigration[]): void {
  refuse(migrations.flatMap(({ filename, body }) => committedProblems(`migrations/committed/${filename}`, body)));
}

/** Returns the encoding problems of current.sql and the fixtures, one sentence each. */
export async function currentEncodingProblems(): Promise<string[]> {
  const sources = (await readSources()).filter(({ committed }) => !committed);
  return sources.flatMap(({ file, bytes }) => encodingProblems(file, bytes));
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new UsageError(['Nothing was run:', ...problems].join('\n  '));
}
