import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reset } from 'graphile-migrate';
import type pg from 'pg';
import { root } from '../../common/root.ts';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { demandShadow } from '../../postgres/target/shadow.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { command, onTarget } from '../cli/command.ts';
import { withReport } from '../cli/progress.ts';
import { describeSchema } from '../describe/describeSchema.ts';

export const snapshotCommand = command(
  'snapshot',
  'rebuild the shadow database and write its schema to migrations/snapshot.txt',
).action(onTarget(snapshot));

const snapshotFile = join(root, 'migrations', 'snapshot.txt');

/** Rebuilds the shadow database from the committed migrations and writes its schema to a file. */
async function snapshot(target: Target): Promise<ExitCode> {
  await demandShadow(target);
  await withReport(`Building the shadow database of ${target.name}`, async (report) =>
    reset(await migrateSettings(target, report), true),
  );
  await writeSnapshot(target);
  return 0;
}

/** Writes migrations/snapshot.txt from the current shadow database, without rebuilding it. */
export async function writeSnapshot({ shadowUrl }: Target): Promise<void> {
  await writeFile(snapshotFile, await withClient(shadowUrl as string, takeSnapshot));
  console.log('Wrote migrations/snapshot.txt');
}

/** Describes the schema of a database in the format of migrations/snapshot.txt, as this version of Postgres shows it. */
export async function takeSnapshot(client: pg.Client): Promise<string> {
  const { rows } = await client.query("select current_setting('server_version_num')::int / 10000 as major");
  return `-- Postgres ${rows[0].major}\n\n${await describeSchema(client)}`;
}

/** @throws UsageError if migrations/snapshot.txt does not exist. */
export function readSnapshot(): Promise<string> {
  return readFile(snapshotFile, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    throw new UsageError('There is no migrations/snapshot.txt. To write it, run npm run db -- snapshot.');
  });
}
