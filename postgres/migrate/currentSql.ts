import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { UsageError } from '../../common/usageError.ts';
import { parseMigrationText } from '../internals/graphileMigrate.ts';
import type { CommittedMigration } from './committed.ts';
import { compile } from './compile.ts';

export const currentFile = join(root, 'current.sql');

/** The text of current.sql; empty where there is none, as graphile-migrate makes it then. */
export async function readCurrent(): Promise<string> {
  return (await readCurrentBytes()).toString('utf8');
}

/** The bytes of current.sql; none where there is no such file. */
export function readCurrentBytes(): Promise<Buffer> {
  return readFile(currentFile).catch((error) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
}

/** @throws UsageError where current.sql has more than comments in it, which would be lost. */
export async function demandBlankCurrent(): Promise<void> {
  if (await isBlank()) return;
  throw new UsageError('current.sql is not empty, and would be written over: commit what is in it, or put it aside.');
}

/** @throws UsageError where current.sql is no next migration: blank, or what a commit that was killed has committed. */
export async function demandNewCurrent(last: CommittedMigration | undefined): Promise<void> {
  if (await isBlank()) throw new UsageError('current.sql is blank: there is nothing to commit.');
  const { body } = parseMigrationText('current.sql', await compile(await readCurrent()), false);
  if (body.trim() !== last?.body.trim()) return;
  throw new UsageError(
    `migrations/committed/${last.filename} is what current.sql is: a commit broke off. Where no database has applied it, remove that file and commit again; otherwise empty current.sql, and then: npm run db -- migrate && npm run db -- snapshot`,
  );
}

/** Does `work`, and where it fails puts back current.sql as its author wrote it. */
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
