import { styleText } from 'node:util';
import type pg from 'pg';
import { withClient } from './client.ts';
import { command, onAnyTarget } from './command.ts';
import { readCommitted } from './committed.ts';
import { forgottenFixtures } from './fixtures.ts';
import { foreignDatabase } from './identity.ts';
import { lockHolder } from './migrationLock.ts';
import { type MigrationState, migrationState } from './migrationState.ts';
import { currentEncodingProblems } from './migrations/demandSound.ts';
import { reportProblems } from './reportProblems.ts';
import { madeOn, readSnapshot, takeSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

export const statusCommand = command(
  'status',
  'compare the database with the migrations, the fixtures and the snapshot',
)
  .option('--json', 'for machines')
  .action(onAnyTarget<{ json?: boolean }>((target, { json = false }) => status(target, json)));

/** Compares the target's record of migrations with the files, and its schema with the snapshot. */
async function status(target: Target, json: boolean): Promise<ExitCode> {
  return withClient(target.ownerUrl, async (client) => {
    const { migrations, ...committed } = await readCommitted();
    const unreadable = [...committed.unreadable, ...(await currentEncodingProblems())];
    const state = await migrationState(client, migrations);
    const fixtures = await forgottenFixtures(migrations);
    const foreign = await foreignDatabase(client, migrations);
    const migrating = await lockHolder(client);
    // Until every migration is applied the schema cannot be the snapshot's.
    const schema = state.problems.length === 0 ? await drift(client) : [];
    const problems = [...(foreign ? [foreign] : []), ...unreadable, ...state.problems, ...fixtures, ...schema];
    if (json) {
      const applied = migrations.length - state.pending.length;
      const answer = { database: target.name, committed: migrations.length, applied, migrations: state.migrations };
      console.log(JSON.stringify({ ...answer, migrating: migrating ?? null, drift: schema, fixtures, problems }));
    } else {
      report(target.name, state);
      if (migrating) console.log(`${styleText('yellow', '…')} migrations are being applied by ${migrating}`);
      reportProblems(problems);
      if (problems.length === 0) console.log(`${styleText('green', '✓')} the database matches the files`);
    }
    return problems.length === 0 ? 0 : 1;
  });
}

function report(name: string, { migrations, pending }: MigrationState): void {
  console.log(`${name}: ${migrations.length - pending.length} of ${migrations.length} committed migrations applied`);
  for (const { filename, state, appliedAt } of migrations) {
    const when = appliedAt ? appliedAt.toISOString().slice(0, 16).replace('T', ' ') : '';
    console.log(`  ${state.padEnd(12)} ${when.padEnd(16)} ${filename}`);
  }
}

async function drift(client: pg.Client): Promise<string[]> {
  const [file, schema] = [await readSnapshot(), await inTransaction(client, () => takeSnapshot(client))];
  const [expected, found] = [withObject(file), withObject(schema)];
  const form = madeOn(file) === madeOn(schema) ? (line: string) => line : portable;
  const [known, present] = [new Set(expected.map(form)), new Set(found.map(form))];
  return [
    ...expected.filter((line) => !present.has(form(line))).map((line) => `missing from the database: ${line}`),
    ...found.filter((line) => !known.has(form(line))).map((line) => `not in migrations/snapshot.txt: ${line}`),
  ];
}

/** Behind a pooler the session, and what was set in it, goes to somebody else; a transaction takes it back. */
async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin isolation level repeatable read read only');
  try {
    return await work();
  } finally {
    await client.query('rollback');
  }
}

/**
 * A line without what only some versions of Postgres show. Before 16 each column of a view has its table, later only where
 * there are several tables; MAINTAIN came with 17, and is part of `grant all`.
 */
function portable(line: string): string {
  if (/^\w+ \S+: as /.test(line)) return line.replace(/(?:"[^"]+"|\w+)\.(?=["\w])/g, '');
  if (line.startsWith('default privileges ')) return line.replace(/(?<==[a-zA-Z*]*)m\*?(?=[a-zA-Z*]*\/)/g, '');
  return /: grant /.test(line) ? line.replace(/\bmaintain, |, maintain\b/, '') : line;
}

/** Snapshot lines that make sense alone: what is indented gets the first words of the line that it belongs to. */
function withObject(text: string): string[] {
  let object = '';
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('--')) return [];
    if (line.startsWith(' ')) return `${object}: ${line.trim()}`;
    object = line.split(' ', 2).join(' ');
    return line;
  });
}
