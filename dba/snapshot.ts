import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reset } from 'graphile-migrate';
import pg from 'pg';
import { command, onTarget } from './command.ts';
import { describeSchema } from './describeSchema.ts';
import { migrateSettings } from './migrateSettings.ts';
import { root } from './root.ts';
import { demandShadow } from './shadow.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

export const snapshotCommand = command(
  'snapshot',
  'write migrations/snapshot.txt from the shadow database, built anew',
).action(onTarget(snapshot));

export const snapshotFile = join(root, 'migrations', 'snapshot.txt');

/** Builds the shadow database anew from the committed migrations, and writes down its schema. */
async function snapshot(target: Target): Promise<ExitCode> {
  demandShadow(target);
  await reset(await migrateSettings(target, () => {}), true);
  await writeSnapshot(target);
  return 0;
}

/** Writes migrations/snapshot.txt from the shadow database as it is. */
export async function writeSnapshot({ shadowUrl }: Target): Promise<void> {
  const client = new pg.Client({ connectionString: shadowUrl });
  await client.connect();
  try {
    await writeFile(snapshotFile, await describeSchema(client));
  } finally {
    await client.end();
  }
  console.log('Wrote migrations/snapshot.txt');
}
