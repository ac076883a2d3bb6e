import { UsageError } from '../../common/usageError.ts';
import type { Finding } from '../../lint/rule.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import type { Target } from '../../postgres/target/target.ts';
import { newClient } from '../../postgres/withClient.ts';
import { describeSchema } from '../describe/describeSchema.ts';
import { inspect } from '../inspect.ts';
import { readActivity } from './activity.ts';
import { apply } from './apply.ts';
import { type AssessedStatement, assess } from './assess.ts';
import { foreignKeys, type UnkeptForeignKey, unkeptForeignKeys } from './foreignKeys.ts';
import { readOperations } from './operations.ts';
import { readPending } from './pending.ts';
import { schemaDiff } from './schemaDiff.ts';
import { type Done, probe, someTenants, startTraffic } from './traffic.ts';

/** The effects of a migration, for its reviewer. */
export interface Rehearsal {
  readonly database: string;
  readonly migrations: readonly {
    readonly file: string;
    readonly statements: readonly AssessedStatement[];
    /** The line of the failed statement, and the error message. */
    readonly failure: { readonly line: number; readonly message: string } | undefined;
  }[];
  /** New foreign keys that rows violate. Postgres misses the violations, because the owner does not see the rows. */
  readonly unkept: readonly UnkeptForeignKey[];
  readonly traffic: {
    readonly workers: number;
    readonly operations: number;
    /** Operations of tenants that worked before the migration and fail now. */
    readonly broken: readonly { readonly table: string; readonly kind: string; readonly message: string }[];
  };
  /** A diff of the schema; empty if nothing changed. */
  readonly schema: readonly string[];
  readonly findings: readonly Finding[];
}

export interface Settings {
  /** Number of connections that read and write as tenants. */
  readonly traffic: number;
  /** The longest acceptable delay of tenants of a busy table, in milliseconds. */
  readonly maxBlock: number;
  /** Whether to attack one tenant as another after the migration. */
  readonly attacks: boolean;
}

/**
 * Applies the pending migrations of `target`, and current.sql, to a copy of it while simulated tenants use the copy.
 *
 * @param branch the copy.
 * @param report receives a line for each step.
 * @throws UsageError if the database is empty or nothing is pending.
 */
export async function rehearseOn(
  branch: Target,
  target: Target,
  { traffic: workers, maxBlock, attacks }: Settings,
  report: (line: string) => void,
): Promise<Rehearsal> {
  const began = performance.now();
  const usesBefore = await readActivity(target.ownerUrl);
  const owner = newClient(branch.ownerUrl);
  await owner.connect();
  try {
    const { rows } = await owner.query("select to_regclass('app_public.users') is null as empty");
    if (rows[0].empty)
      throw new UsageError('The database is empty, so migrations block nobody. Run `npm run db -- migrate`.');
    const pending = await readPending(owner);
    if (pending.length === 0)
      throw new UsageError('Nothing to rehearse: current.sql is blank and no migration is pending.');
    const before = await describeSchema(owner);
    const keysBefore = await foreignKeys(owner);
    const [operations, tenants] = workers > 0 ? [await readOperations(owner), await someTenants(owner)] : [[], []];
    const urls = [branch.serverUrl, branch.adminUrl].filter((url) => url !== undefined);
    const expected = new Set((await probe(urls, operations, tenants)).map(({ error }) => error));
    const traffic = await startTraffic(urls, operations, tenants, workers);
    const { pgSettings = {} } = await migrateSettings(branch, () => {});
    const applied = [];
    try {
      for (const { file, sql } of pending) {
        report(`Applying ${file}`);
        applied.push(await apply(branch.ownerUrl, file, sql, pgSettings));
        if (applied.at(-1)?.failure) break;
      }
    } finally {
      await traffic.stop();
    }
    report('Inspecting the result');
    const afterwards = await probe(urls, operations, tenants);
    const failed = applied.at(-1)?.failure !== undefined;
    const uses = {
      before: usesBefore,
      after: await readActivity(target.ownerUrl),
      seconds: (performance.now() - began) / 1000,
    };
    const broken = [...traffic.done, ...afterwards].filter(({ error }) => error !== undefined && !expected.has(error));
    return {
      database: target.name,
      migrations: applied.map((one) => ({
        file: one.file,
        statements: assess(one, traffic.done, uses, maxBlock),
        failure: one.failure && { line: one.failure.statement.line, message: one.failure.message },
      })),
      unkept: failed ? [] : await unkeptForeignKeys(owner, keysBefore),
      traffic: { workers, operations: traffic.done.length, broken: distinct(broken) },
      schema: failed ? [] : schemaDiff(before, await describeSchema(owner)),
      findings: failed ? [] : await inspect(branch, { text: 'current', attacks }),
    };
  } finally {
    await owner.end();
  }
}

function distinct(done: readonly Done[]): Rehearsal['traffic']['broken'] {
  const found = done.map(({ table, kind, error = '' }) => ({ table, kind, message: error }));
  return [...new Map(found.map((one) => [JSON.stringify(one), one])).values()];
}
