import { existsSync } from 'node:fs';
import { open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../../common/usageError.ts';
import { isAlive } from '../../postgres/embedded/lock.ts';
import { databaseOf, machine } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { newClient } from '../../postgres/withClient.ts';
import { size, withProgress } from '../cli/progress.ts';
import { type Manifest, manifestFile, sha256 } from './manifest.ts';
import { measureTables } from './measure.ts';
import { runTool } from './runTool.ts';
import { adminInside, demandFreeAdmin } from './server.ts';
import { findTools } from './tools.ts';

/**
 * Writes all of the target's database to `file`, in pg_dump's custom format, and beside it what it holds; both are of
 * one snapshot. The file is there whole or not at all.
 *
 * @param force write over a backup that is there.
 * @throws UsageError where row-level security would hide rows from who copies them.
 */
export async function makeBackup(target: Target, file: string, force: boolean): Promise<Manifest> {
  const demandFree = () => {
    const taken = [file, manifestFile(file)].find((path) => existsSync(path));
    if (taken && !force) throw new UsageError(`There is a file ${taken} already: choose another name, or say --force.`);
  };
  demandFree();
  const adminUrl = adminInside(target);
  const server = await demandFreeAdmin(adminUrl);
  const tools = await findTools(server, process.env);
  await removeLeftOvers(file);
  const partial = `${file}.${machine}_${process.pid}.partial`;
  await createFile(partial);
  const client = newClient(adminUrl);
  try {
    await client.connect();
    await client.query('begin isolation level repeatable read read only');
    const { rows } = await client.query(
      'select pg_export_snapshot() as snapshot, now() as at, pg_database_size(current_database())::float8 as bytes',
    );
    const { snapshot, at, bytes: databaseBytes } = rows[0];
    const tables = await withProgress(
      `Backing up ${target.name}`,
      async () => {
        const dump = runTool(tools.dump, adminUrl, ['--format=custom', `--snapshot=${snapshot}`, `--file=${partial}`]);
        // The snapshot lives as long as this transaction, so that neither ends before the other.
        const [measured, dumped] = await Promise.allSettled([measureTables(client), dump]);
        // First what failed for itself: when this transaction fails, pg_dump has lost its snapshot.
        if (measured.status === 'rejected') throw measured.reason;
        if (dumped.status === 'rejected') throw dumped.reason;
        return measured.value;
      },
      async () => `${size((await stat(partial)).size)} written, the database has ${size(databaseBytes)}`,
    );
    const manifest: Manifest = {
      format: 'hedgerow backup 1',
      createdAt: at.toISOString(),
      database: databaseOf(target.ownerUrl),
      server,
      databaseBytes,
      bytes: (await stat(partial)).size,
      sha256: await sha256(partial),
      tables,
    };
    // Before an older backup is written over: the disk may be full.
    await writeFile(manifestFile(partial), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true });
    await flush(partial);
    demandFree();
    await rename(partial, file);
    await rename(manifestFile(partial), manifestFile(file));
    return manifest;
  } finally {
    await client.end();
    for (const path of [partial, manifestFile(partial)]) await rm(path, { force: true });
  }
}

/** Has the disk write it: what a rename puts in an older backup's place must not be lost with the machine's power. */
async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
}

/** Removes what processes have begun to write that were killed. */
async function removeLeftOvers(file: string): Promise<void> {
  const folder = dirname(file);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${basename(file)}.${machine}_`)) continue;
    const [, pid] = /_(\d+)\.partial(\.json)?$/.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) await rm(join(folder, name));
  }
}

/** For its owner alone: a backup has everybody's data in it, and the passwords' hashes. */
async function createFile(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    throw new UsageError(`Nothing can be written to ${path}: ${(error as Error).message}`);
  }
}
