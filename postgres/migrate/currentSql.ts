import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { UsageError } from '../../common/usageError.ts';
import { parseMigrationText } from '../internals/graphileMigrate.ts';
import type { CommittedMigration } from './committed.ts';
import { compile } from './compile.ts';

export const currentFile = join(root, 'current.sql');

/** Reads current.sql. Returns an empty text without the file, because graphile-migrate then creates an empty one. */
export async function readCurrent(): Promise<string> {
  return (await readCurrentBytes()).toString('utf8');
}

/** Reads the bytes of current.sql; none without the file. */
export function readCurrentBytes(): Promise<Buffer> {
  return readFile(currentFile).catch((error) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
}

/** @throws UsageError if current.sql contains more than comments, which a command would overwrite. */
export async function demandBlankCurrent(): Promise<void> {
  if (await isBlank()) return;
  throw new UsageError(
    'current.sql is not empty, and this command would overwrite it. Commit its content, or save it elsewhere.',
  );
}

/** @throws UsageError if current.sql is blank, or equal to the last migration because a commit was interrupted. */
export async function demandNewCurrent(last: CommittedMigration | undefined): Promise<void> {
  if (await isBlank()) throw new UsageError('current.sql is blank: there is nothing to commit.');
  const { body } = parseMigrationText('current.sql', await compile(await readCurrent()), false);
  if (body.trim() !== last?.body.trim()) return;
  throw new UsageError(
    `current.sql equals migrations/committed/${last.filename}: a commit was interrupted. If no database has applied it, remove that file and commit again. Otherwise empty current.sql, and run: npm run db -- migrate && npm run db -- snapshot`,
  );
}

/** Runs `work`. If it fails, restores the previous text of current.sql. */
export async function keepingCurrent<Result>(work: () => Promise<Result>): Promise<Result> {
  const text = await readCurrent();
  try {
    return await work();
  } catch (error) {
    await writeFile(currentFile, text);
    throw error;
  }
}

async function isBlank(): Promise<boolean> {
  const sql = await compile(await readCurrent());
  return (
    sql
      .replace(/--.*$/gm, '')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .trim() === ''
  );
}
