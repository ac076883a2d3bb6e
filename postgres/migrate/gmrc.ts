import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from 'graphile-migrate';
import { root } from '../../common/root.ts';

/** Reads `.gmrc`, the settings of graphile-migrate for every database. */
export async function readGmrc(): Promise<Settings> {
  return JSON.parse(await readFile(join(root, '.gmrc'), 'utf8'));
}
