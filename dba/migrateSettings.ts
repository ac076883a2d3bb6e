import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger, type Settings } from 'graphile-migrate';
import { root } from './root.ts';
import type { Target } from './target.ts';

/**
 * graphile-migrate's settings for `target`: `.gmrc`, with the target's connections.
 *
 * @param report receives graphile-migrate's messages, a line each.
 */
export async function migrateSettings(
  { ownerUrl, shadowUrl, adminUrl }: Pick<Target, 'ownerUrl' | 'shadowUrl' | 'adminUrl'>,
  report: (line: string) => void,
): Promise<Settings> {
  const gmrc = JSON.parse(await readFile(join(root, '.gmrc'), 'utf8')) as Settings;
  return {
    ...gmrc,
    connectionString: ownerUrl,
    ...(shadowUrl && { shadowConnectionString: shadowUrl }),
    ...(adminUrl && { rootConnectionString: adminUrl }),
    databaseOwner: 'hedgerow_owner',
    migrationsFolder: join(root, 'migrations'),
    logger: new Logger(() => (level, message) => {
      if (level !== 'debug') report(message.replace(/^graphile-migrate(\[shadow\])?: */, '$1 ').trim());
    }),
  };
}
