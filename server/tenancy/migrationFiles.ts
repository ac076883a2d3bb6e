import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';

/** A committed migration: its file name, and the hash that graphile-migrate wrote into its header. */
export interface Migration {
  readonly filename: string;
  readonly hash: string;
}

const folder = join(root, 'migrations', 'committed');

/** The committed migrations, in order. */
export async function migrationFiles(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{6,}.*\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (filename) => {
      const hash = /^--! Hash: (\S+)/m.exec(await readFile(join(folder, filename), 'utf8'))?.[1];
      if (!hash) throw new Error(`migrations/committed/${filename} has no "--! Hash:" line`);
      return { filename, hash };
    }),
  );
}

/** The number of a migration. graphile-migrate records a file without its message: 000001-todos.sql as 000001.sql. */
const number = ({ filename }: Migration) => Number.parseInt(filename, 10);

/**
 * The applied migrations that are newer than every file: a later version of the server brought them. None if there are
 * no files, because then nothing tells newer from older.
 */
export function newerMigrations(files: readonly Migration[], applied: readonly Migration[]): Migration[] {
  if (files.length === 0) return [];
  const newest = Math.max(...files.map(number));
  return applied.filter((migration) => number(migration) > newest);
}

/** How a database's applied migrations differ from the files, a sentence each; empty when they match. */
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
