import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../common/root.ts';
import { readCurrentBytes } from '../postgres/migrate/currentSql.ts';

/** A file of migrations. */
export interface Source {
  /** Relative to the checkout. */
  readonly file: string;
  readonly sql: string;
  /** A committed migration is never edited again. */
  readonly committed: boolean;
}

/** A file of migrations, as text and as it is. */
export interface SourceFile extends Source {
  /** Text does not say whether the bytes were UTF-8. */
  readonly bytes: Uint8Array;
}

/** The committed migrations in their order, the fixtures, and current.sql. */
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

/** A committed migration has a copy of what it included; the fixture itself is what counts. Lines stay where they are. */
function withoutIncluded(source: SourceFile): SourceFile {
  const sql = source.sql.replace(/^--! Included (.*)$[\s\S]*?^--! EndIncluded \1$/gm, (copy) =>
    copy.replace(/[^\n]/g, ''),
  );
  return { ...source, sql };
}
