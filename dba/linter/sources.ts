import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCurrent } from '../currentSql.ts';
import { root } from '../root.ts';

/** A file of migrations. */
export interface Source {
  /** Relative to the checkout. */
  readonly file: string;
  readonly sql: string;
  /** A committed migration is never edited again. */
  readonly committed: boolean;
}

/** The committed migrations in their order, the fixtures, and current.sql. */
export async function readSources(): Promise<Source[]> {
  const [committed, fixtures] = await Promise.all([
    read('migrations/committed', true),
    read('migrations/fixtures', false),
  ]);
  const current = { file: 'current.sql', sql: await readCurrent(), committed: false };
  return [...committed.map(withoutIncluded), ...fixtures, current];
}

async function read(folder: string, committed: boolean): Promise<Source[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    return [];
  });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
  return Promise.all(files.map(async (file) => ({ file, sql: await readFile(join(root, file), 'utf8'), committed })));
}

/** A committed migration has a copy of what it included; the fixture itself is what counts. Lines stay where they are. */
function withoutIncluded(source: Source): Source {
  const sql = source.sql.replace(/^--! Included (.*)$[\s\S]*?^--! EndIncluded \1$/gm, (copy) =>
    copy.replace(/[^\n]/g, ''),
  );
  return { ...source, sql };
}
