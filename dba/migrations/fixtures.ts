import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import type { CommittedMigration } from '../../postgres/migrate/committed.ts';
import { compile } from '../../postgres/migrate/compile.ts';
import { readCurrent } from '../../postgres/migrate/currentSql.ts';

export const fixturesFolder = join(root, 'migrations', 'fixtures');

/**
 * Finds fixtures whose current text no migration applies. The text differs from the last migration that includes the
 * fixture, or no migration includes it, and neither does current.sql.
 */
export async function forgottenFixtures(migrations: readonly CommittedMigration[]): Promise<string[]> {
  const applied = new Map<string, string>();
  for (const { body } of migrations) for (const [path, sql] of included(body)) applied.set(path, sql);
  const current = new Map(included(await compile(await readCurrent())));
  const forgotten: string[] = [];
  for (const path of await fixturePaths()) {
    const sql = (await compile(await readFile(join(fixturesFolder, path), 'utf8'))).trim();
    if (applied.get(path) !== sql && !current.has(path)) {
      forgotten.push(
        `migrations/fixtures/${path} ${applied.has(path) ? 'has changed since the migration that includes it' : 'is in no migration'}: add \`--! include ${path}\` to current.sql`,
      );
    }
  }
  return forgotten;
}

async function fixturePaths(): Promise<string[]> {
  const names = await readdir(fixturesFolder, { recursive: true }).catch((error) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith('.sql'))
    .map((name) => name.replaceAll('\\', '/'))
    .sort();
}

/** Returns the fixtures included in a compiled migration, nested ones too. */
export function included(sql: string): [path: string, sql: string][] {
  return [...sql.matchAll(/^--! Included (.+)\n([\s\S]*?)\n--! EndIncluded \1$/gm)].flatMap(
    ([, path = '', content = '']) => [[path, content], ...included(content)] as [string, string][],
  );
}
