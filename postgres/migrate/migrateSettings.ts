import { join } from 'node:path';
import { Logger, type Settings } from 'graphile-migrate';
import { root } from '../../common/root.ts';
import { clientOptions } from '../connectionString.ts';
import { connectAsHedgerow } from '../internals/migrateConnections.ts';
import type { Target } from '../target/target.ts';
import { readGmrc } from './gmrc.ts';

/**
 * Returns graphile-migrate's settings for `target`: those of `.gmrc`, and the target's connections.
 *
 * @param report receives graphile-migrate's messages. Messages with `isError` may have several lines.
 */
export async function migrateSettings(
  { ownerUrl, shadowUrl, adminUrl }: Pick<Target, 'ownerUrl' | 'shadowUrl' | 'adminUrl'>,
  report: (message: string, isError: boolean) => void,
): Promise<Settings> {
  connectAsHedgerow();
  return {
    ...(await readGmrc()),
    connectionString: clientOptions(ownerUrl).connectionString,
    ...(shadowUrl && { shadowConnectionString: clientOptions(shadowUrl).connectionString }),
    ...(adminUrl && { rootConnectionString: clientOptions(adminUrl).connectionString }),
    databaseOwner: 'hedgerow_owner',
    migrationsFolder: join(root, 'migrations'),
    logger: new Logger(() => (level, message) => {
      if (level === 'debug') return;
      const words = message.replace(/^graphile-migrate(\[shadow\])?: */, '$1 ').replace(/^ +at .*\n/gm, '');
      report(words.trim(), level === 'error');
    }),
  };
}
