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
 * Writes the target's database to `file` in pg_dump's custom format, and a manifest of its contents beside it. Both come
 * from the same snapshot. An interrupted backup leaves no partial `file`.
 *
 * @param force overwrite an existing backup.
 * @throws UsageError if `file` exists, or if row-level security would hide rows from the admin.
 */
export async function makeBackup(target: Target, file: string, force: boolean): Promise<Manifest> {
  const demandFree = () => {
    const taken = [file, manifestFile(file)].find((path) => existsSync(path));
    if (taken && !force) throw new UsageError(`The file ${taken} already exists: choose another name, or add --force.`);
  };
  demandFree();
  const adminUrl = adminInside(target);
  const server = await demandFreeAdmin(adminUrl);
  const tools = await findTools(server, process.env);
  await removeAbandoned(file);
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
        // Wait for both: the snapshot is valid only while this transaction is open.
        const [measured, dumped] = await Promise.allSettled([measureTables(client), dump]);
        // Throw the error of this transaction first. It may be the cause of that of pg_dump, which loses the snapshot.
        if (measured.status === 'rejected') throw measured.reason;
        if (dumped.status === 'rejected') throw dumped.reason;
        return measured.value;
      },
      async () => `${size((await stat(partial)).size)} written, database size ${size(databaseBytes)}`,
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
    // Write everything before replacing an older backup, because the disk may be full.
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

/** Flushes a file to disk. Otherwise a power failure after the rename could lose both the old and the new backup. */
async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
}

/** Removes partial files of processes of this machine that no longer run. */
async function removeAbandoned(file: string): Promise<void> {
  const folder = dirname(file);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${basename(file)}.${machine}_`)) continue;
    const [, pid] = /_(\d+)\.partial(\.json)?$/.exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) await rm(join(folder, name));
  }
}

/** Creates a file that only its owner can read: a backup contains the data of all tenants and the password hashes. */
async function createFile(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    throw new UsageError(`Cannot write to ${path}: ${(error as Error).message}`);
  }
}
