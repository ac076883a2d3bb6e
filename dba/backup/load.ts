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
 * Fills an empty database from a backup, in one transaction, and compares what came of it with the manifest.
 *
 * @param adminUrl of the empty database, as a role that row-level security does not bind.
 * @returns what differs from the manifest, a sentence for each table.
 */
export async function loadBackup(file: string, manifest: Manifest, adminUrl: string): Promise<string[]> {
  const server = await demandFreeAdmin(adminUrl);
  if (server < manifest.server) {
    throw new UsageError(`${file} is of Postgres ${manifest.server}, and cannot be restored to Postgres ${server}.`);
  }
  const tools = await findTools(server, process.env);
  const ask = async (text: string) => (await withClient(adminUrl, (admin) => admin.query(text))).rows[0];
  await withProgress(
    `Restoring ${file}`,
    () => runTool(tools.restore, adminUrl, ['--single-transaction', '--exit-on-error', resolve(file)]),
    async () => {
      const { bytes } = await ask('select pg_database_size(current_database())::float8 as bytes');
      return `${size(bytes)}; it was ${size(manifest.databaseBytes)}`;
    },
  );
  return withProgress('Comparing with the manifest', () =>
    withClient(adminUrl, async (client) => {
      // What the planner knows of the tables is not in a backup.
      await client.query('analyze');
      await client.query('begin isolation level repeatable read read only');
      return compareTables(manifest.tables, await measureTables(client));
    }),
  );
}
