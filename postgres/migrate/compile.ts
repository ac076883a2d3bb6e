import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { compileIncludes, type ParsedSettings } from '../internals/graphileMigrate.ts';

/** Puts fixtures in the place of the lines that include them, as graphile-migrate does when it runs or commits. */
export function compile(sql: string): Promise<string> {
  // It reads nothing else of the settings.
  const settings = { migrationsFolder: join(root, 'migrations') } as ParsedSettings;
  return compileIncludes(settings, sql, new Set());
}
