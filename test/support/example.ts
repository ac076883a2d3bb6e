import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { takeSnapshot } from '../../dba/commands/snapshot.ts';
import { calculateHash, parseMigrationText, serializeMigration } from '../../postgres/internals/graphileMigrate.ts';
import { withClient } from '../../postgres/withClient.ts';

/** A migration that adds the example tables, for a project whose migrations have removed them. */
export interface ExampleMigration {
  /** Folder of the project's migrations, followed by the example's migration. */
  readonly folder: string;
  readonly hash: string;
  readonly previous: string;
  /** The name that graphile-migrate records: `000009.sql`. */
  readonly recorded: string;
}

/**
 * Adds the example tables, which most tests need, to a database whose migrations have removed them. It does not record
 * the migration: the server reads the project's files and must not find a migration that they lack. Only a database
 * whose checkout has the file records it.
 *
 * @returns undefined if the project's migrations still have the example.
 */
export async function addExample(ownerUrl: string, directory: string): Promise<ExampleMigration | undefined> {
  return withClient(ownerUrl, async (client) => {
    const { rows } = await client.query("select to_regclass('app_public.todos') is not null as found");
    if (rows[0].found) return undefined;
    const sql = `${(await readFile(join(root, 'test', 'support', 'example.sql'), 'utf8')).trim()}\n`;
    await client.query(`set search_path = pg_catalog;\n${sql}`);
    const folder = join(directory, 'migrations');
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const names = (await readdir(join(root, 'migrations'))).filter((name) => name !== 'current.sql');
    for (const name of names) await cp(join(root, 'migrations', name), join(folder, name), { recursive: true });
    const last = (await readdir(join(folder, 'committed'))).sort().at(-1) as string;
    const { headers } = parseMigrationText(last, await readFile(join(folder, 'committed', last), 'utf8'));
    const previous = String(headers.Hash);
    const hash = calculateHash(sql, previous);
    const number = String(Number.parseInt(last, 10) + 1).padStart(6, '0');
    const text = serializeMigration(sql, { Previous: previous, Hash: hash });
    await writeFile(join(folder, 'committed', `${number}-example-of-the-tests.sql`), text);
    await writeFile(join(folder, 'snapshot.txt'), await takeSnapshot(client));
    return { folder, hash, previous, recorded: `${number}.sql` };
  });
}
