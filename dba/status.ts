import { readFile } from 'node:fs/promises';
import { styleText } from 'node:util';
import pg from 'pg';
import { compareMigrations, type Migration, migrationFiles } from '../server/database/migrationFiles.ts';
import { command, onTarget } from './command.ts';
import { describeSchema } from './describeSchema.ts';
import { snapshotFile } from './snapshot.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

export const statusCommand = command('status', 'compare the database with the migrations and the snapshot')
  .option('--json', 'for machines')
  .action(onTarget<{ json?: boolean }>((target, { json = false }) => status(target, json)));

/** Problems that a person gets to read at once. */
const shown = 20;

/** Compares the target's record of migrations with the files, and its schema with the snapshot. */
async function status(target: Target, json: boolean): Promise<ExitCode> {
  const client = new pg.Client({ connectionString: target.ownerUrl });
  await client.connect();
  try {
    const files = await migrationFiles();
    const applied = await appliedMigrations(client);
    const problems = compareMigrations(files, applied);
    // Until every migration is applied the schema cannot be the snapshot's.
    if (problems.length === 0) problems.push(...(await drift(client)));
    if (json)
      console.log(
        JSON.stringify({ database: target.name, committed: files.length, applied: applied.length, problems }),
      );
    else report(target.name, files.length, applied.length, problems);
    return problems.length === 0 ? 0 : 1;
  } finally {
    await client.end();
  }
}

function report(name: string, committed: number, applied: number, problems: readonly string[]): void {
  console.log(`${name}: ${applied} of ${committed} committed migrations applied`);
  for (const problem of problems.slice(0, shown)) console.log(`${styleText('red', '✗')} ${problem}`);
  if (problems.length > shown) console.log(`… and ${problems.length - shown} more; --json tells them all`);
  if (problems.length === 0) console.log(`${styleText('green', '✓')} the database matches the files`);
}

async function appliedMigrations(client: pg.Client): Promise<Migration[]> {
  const { rows } = await client.query("select to_regclass('graphile_migrate.migrations') is not null as found");
  if (!rows[0].found) return [];
  return (await client.query<Migration>('select filename, hash from graphile_migrate.migrations')).rows;
}

async function drift(client: pg.Client): Promise<string[]> {
  const expected = withObject(await readFile(snapshotFile, 'utf8'));
  const found = withObject(await describeSchema(client));
  return [
    ...expected.filter((line) => !found.includes(line)).map((line) => `missing from the database: ${line}`),
    ...found.filter((line) => !expected.includes(line)).map((line) => `not in migrations/snapshot.txt: ${line}`),
  ];
}

/** Snapshot lines that make sense alone: what is indented gets the first words of the line that it belongs to. */
function withObject(text: string): string[] {
  let object = '';
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    if (line.startsWith(' ')) return `${object}: ${line.trim()}`;
    object = line.split(' ', 2).join(' ');
    return line;
  });
}
