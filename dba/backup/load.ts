import { resolve } from 'node:path';
import { UsageError } from '../../common/usageError.ts';
import { withClient } from '../../postgres/withClient.ts';
import { size, withProgress } from '../cli/progress.ts';
import type { Manifest } from './manifest.ts';
import { compareTables, measureTables } from './measure.ts';
import { runTool } from './runTool.ts';
import { demandFreeAdmin } from './server.ts';
import { findTools } from './tools.ts';

/**
 * Restores a backup into an empty database, in one transaction, and compares the result with the manifest.
 *
 * @param adminUrl the empty database, as a role that bypasses row-level security.
 * @returns a sentence for each table that differs from the manifest.
 * @throws UsageError if the server is older than that of the backup.
 */
export async function loadBackup(file: string, manifest: Manifest, adminUrl: string): Promise<string[]> {
  const server = await demandFreeAdmin(adminUrl);
  if (server < manifest.server) {
    throw new UsageError(
      `${file} is from Postgres ${manifest.server} and cannot be restored to Postgres ${server}. Use a server of version ${manifest.server} or newer.`,
    );
  }
  const tools = await findTools(server, process.env);
  const ask = async (text: string) => (await withClient(adminUrl, (admin) => admin.query(text))).rows[0];
  await withProgress(
    `Restoring ${file}`,
    () => runTool(tools.restore, adminUrl, ['--single-transaction', '--exit-on-error', resolve(file)]),
    async () => {
      const { bytes } = await ask('select pg_database_size(current_database())::float8 as bytes');
      return `${size(bytes)} of about ${size(manifest.databaseBytes)}`;
    },
  );
  return withProgress('Comparing with the manifest', () =>
    withClient(adminUrl, async (client) => {
      // A backup does not contain planner statistics.
      await client.query('analyze');
      await client.query('begin isolation level repeatable read read only');
      return compareTables(manifest.tables, await measureTables(client));
    }),
  );
}
