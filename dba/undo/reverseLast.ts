import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from 'graphile-migrate';
import type pg from 'pg';
import { root } from '../../common/root.ts';
import { type CommittedMigration, committedFolder } from '../../postgres/migrate/committed.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { describeSchema } from '../describe/describeSchema.ts';
import { readComments, readDefinitions } from './definitions.ts';
import { type Reverse, reverse } from './reverse.ts';

/**
 * Derives the reverse of the last migration from the schemas before and after it, and tests the reverse.
 *
 * @param scratch an empty database.
 * @param fixtures the earlier texts of the fixtures; they run first.
 */
export async function reverseLast(
  scratch: Target,
  migrations: readonly CommittedMigration[],
  fixtures: readonly string[],
): Promise<Reverse> {
  await migrateTo(scratch, migrations.slice(0, -1));
  return withClient(scratch.ownerUrl, async (client) => {
    const before = await describeSchema(client);
    const definitions = await readDefinitions(client);
    const comments = await readComments(client);
    await migrate(await migrateSettings(scratch, () => {}));
    const failed = await trial(client, fixtures);
    const { statements, lost } = reverse(before, await describeSchema(client), definitions);
    failed.push(...(await trial(client, statements)));
    const commented = reverseComments(comments, await readComments(client));
    const runs = (sql: string) => !failed.some(({ statement }) => statement === sql);
    // Run the statements a second time, because `watch` runs current.sql at every save.
    failed.push(...(await trial(client, [...statements.filter(runs), ...commented])));
    const left = reverse(before, await describeSchema(client), definitions).statements;
    return {
      statements: [...statements, ...commented].filter(runs),
      lost: [
        ...lost,
        ...failed.map(({ statement, message }) => `${statement.split('\n', 1)[0]} does not run: ${message}`),
        ...left.filter(runs).map((sql) => `not undone yet: ${sql}`),
      ],
    };
  });
}

/** Applies only these migrations, from a temporary folder. */
async function migrateTo(scratch: Target, migrations: readonly CommittedMigration[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'hedgerow-undo-'));
  try {
    await mkdir(join(folder, 'committed'));
    await cp(join(root, 'migrations', 'notify.sql'), join(folder, 'notify.sql'));
    for (const { filename } of migrations)
      await cp(join(committedFolder, filename), join(folder, 'committed', filename));
    await migrate({ ...(await migrateSettings(scratch, () => {})), migrationsFolder: folder });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs each statement separately and returns those that fail. */
async function trial(client: pg.Client, statements: readonly string[]) {
  const failed: { statement: string; message: string }[] = [];
  for (const statement of statements) {
    await client.query(statement).catch(({ message }) => failed.push({ statement, message }));
  }
  return failed;
}

function reverseComments(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const statements = new Set([...before.keys(), ...after.keys()]);
  return [...statements].flatMap((statement) => {
    const text = before.get(statement);
    return text === after.get(statement) ? [] : `${statement} ${text ?? 'null'}`;
  });
}
