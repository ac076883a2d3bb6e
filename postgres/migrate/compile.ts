import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { compileIncludes, type ParsedSettings } from '../internals/graphileMigrate.ts';

/** Replaces `--!include` lines by their fixtures, as graphile-migrate does when it runs or commits a migration. */
export function compile(sql: string): Promise<string> {
  // compileIncludes reads no other setting.
  const settings = { migrationsFolder: join(root, 'migrations') } as ParsedSettings;
  return compileIncludes(settings, sql, new Set());
}
