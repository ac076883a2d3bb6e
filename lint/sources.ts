import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../common/root.ts';
import { readCurrentBytes } from '../postgres/migrate/currentSql.ts';

/** An SQL file: a committed migration, a fixture or current.sql. */
export interface Source {
  /** The path, relative to the checkout. */
  readonly file: string;
  readonly sql: string;
  /** True for a committed migration, which nobody may edit. */
  readonly committed: boolean;
}

/** An SQL file with its raw bytes. */
export interface SourceFile extends Source {
  /** Needed to check for valid UTF-8, which the decoded text no longer shows. */
  readonly bytes: Uint8Array;
}

/** Reads the committed migrations in order, then the fixtures, then current.sql. */
export async function readSources(): Promise<SourceFile[]> {
  const [committed, fixtures] = await Promise.all([
    read('migrations/committed', true),
    read('migrations/fixtures', false),
  ]);
  const current = source('current.sql', await readCurrentBytes(), false);
  return [...committed.map(withoutIncluded), ...fixtures, current];
}

async function read(folder: string, committed: boolean): Promise<SourceFile[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    return [];
  });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
  return Promise.all(files.map(async (file) => source(file, await readFile(join(root, file)), committed)));
}

const source = (file: string, bytes: Buffer, committed: boolean): SourceFile => ({
  file,
  sql: bytes.toString('utf8'),
  bytes,
  committed,
});

/**
 * Blanks out the copies of fixtures in a committed migration, because the fixtures themselves count. Keeps line
 * numbers.
 */
function withoutIncluded(source: SourceFile): SourceFile {
  const sql = source.sql.replace(/^--! Included (.*)$[\s\S]*?^--! EndIncluded \1$/gm, (copy) =>
    copy.replace(/[^\n]/g, ''),
  );
  return { ...source, sql };
}
