import { join } from 'node:path';
import { compileIncludes } from 'graphile-migrate/dist/migration.js';
import type { ParsedSettings } from 'graphile-migrate/dist/settings.js';
import { root } from './root.ts';

/** Puts fixtures in the place of the lines that include them, as graphile-migrate does when it runs or commits. */
export function compile(sql: string): Promise<string> {
  // It reads nothing else of the settings.
  const settings = { migrationsFolder: join(root, 'migrations') } as ParsedSettings;
  return compileIncludes(settings, sql, new Set());
}
