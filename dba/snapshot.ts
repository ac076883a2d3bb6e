import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reset } from 'graphile-migrate';
import type pg from 'pg';
import { withClient } from './client.ts';
import { command, onTarget } from './command.ts';
import { describeSchema } from './describeSchema.ts';
import { migrateSettings } from './migrateSettings.ts';
import { root } from './root.ts';
import { demandShadow } from './shadow.ts';
import type { Target } from './target.ts';
import { type ExitCode, UsageError } from './verb.ts';
import { withReport } from './withReport.ts';

export const snapshotCommand = command(
  'snapshot',
  'write migrations/snapshot.txt from the shadow database, built anew',
).action(onTarget(snapshot));

const snapshotFile = join(root, 'migrations', 'snapshot.txt');

/** Builds the shadow database anew from the committed migrations, and writes down its schema. */
async function snapshot(target: Target): Promise<ExitCode> {
  await demandShadow(target);
  await withReport(`Building the shadow database of ${target.name}`, async (report) =>
    reset(await migrateSettings(target, report), true),
  );
  await writeSnapshot(target);
  return 0;
}

/** Writes migrations/snapshot.txt from the shadow database as it is. */
export async function writeSnapshot({ shadowUrl }: Target): Promise<void> {
  await writeFile(snapshotFile, await withClient(shadowUrl as string, takeSnapshot));
  console.log('Wrote migrations/snapshot.txt');
}

/** What migrations/snapshot.txt says of a database: its schema, as this version of Postgres shows it. */
export async function takeSnapshot(client: pg.Client): Promise<string> {
  const { rows } = await client.query("select current_setting('server_version_num')::int / 10000 as major");
  return `-- Postgres ${rows[0].major}\n\n${await describeSchema(client)}`;
}

/** The version of Postgres that a snapshot is from. */
export function madeOn(snapshot: string): string | undefined {
  return /^-- Postgres (\d+)$/m.exec(snapshot)?.[1];
}

/** @throws UsageError where there is none. */
export function readSnapshot(): Promise<string> {
  return readFile(snapshotFile, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    throw new UsageError('There is no migrations/snapshot.txt: npm run db -- snapshot writes it.');
  });
}
