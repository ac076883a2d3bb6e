import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';

/** A committed migration: its file name and the hash in its header, which graphile-migrate wrote. */
export interface Migration {
  readonly filename: string;
  readonly hash: string;
}

const folder = join(root, 'migrations', 'committed');

/** Reads the committed migrations, in order. @throws Error for a file without a hash. */
export async function migrationFiles(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{6,}.*\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (filename) => {
      const hash = /^--! Hash: (\S+)/m.exec(await readFile(join(folder, filename), 'utf8'))?.[1];
      if (!hash)
        throw new Error(`migrations/committed/${filename} has no "--! Hash:" line. Restore the committed file.`);
      return { filename, hash };
    }),
  );
}

/** Returns the number of a migration. graphile-migrate records 000001-todos.sql without its message, as 000001.sql. */
const number = ({ filename }: Migration) => Number.parseInt(filename, 10);

/**
 * Returns the applied migrations that are newer than every file. They belong to a later version of the server. Returns none
 * without files, because newer and older are then the same.
 */
export function newerMigrations(files: readonly Migration[], applied: readonly Migration[]): Migration[] {
  if (files.length === 0) return [];
  const newest = Math.max(...files.map(number));
  return applied.filter((migration) => number(migration) > newest);
}

/** Returns the differences between the applied migrations and the files, one sentence each; empty if they match. */
export function compareMigrations(files: readonly Migration[], applied: readonly Migration[]): string[] {
  const inDatabase = new Map(applied.map((migration) => [number(migration), migration.hash]));
  const inFiles = new Set(files.map(number));
  return [
    ...files.flatMap((file) => {
      const hash = inDatabase.get(number(file));
      if (hash === undefined) return `migration ${file.filename} has not been applied`;
      return hash === file.hash ? [] : `migration ${file.filename} was edited after it was applied`;
    }),
    ...applied.flatMap((migration) =>
      inFiles.has(number(migration)) ? [] : `migration ${migration.filename} was applied, but its file is missing`,
    ),
  ];
}
