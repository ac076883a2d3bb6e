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

/** What a reviewer wants to know of a migration. */
export interface Rehearsal {
  readonly database: string;
  readonly migrations: readonly {
    readonly file: string;
    readonly statements: readonly AssessedStatement[];
    /** Where it failed, and what Postgres said. */
    readonly failure: { readonly line: number; readonly message: string } | undefined;
  }[];
  /** New foreign keys that rows do not keep to, which the owner does not see. */
  readonly unkept: readonly UnkeptForeignKey[];
  readonly traffic: {
    readonly workers: number;
    readonly operations: number;
    /** What a tenant could do before and cannot any more. */
    readonly broken: readonly { readonly table: string; readonly kind: string; readonly message: string }[];
  };
  /** A diff of the schema; empty where nothing changed. */
  readonly schema: readonly string[];
  readonly findings: readonly Finding[];
}

export interface Settings {
  readonly traffic: number;
  /** Milliseconds. */
  readonly maxBlock: number;
  /** Whether one tenant is attacked with another in the end. */
  readonly attacks: boolean;
}

/**
 * Applies what `target` lacks, and current.sql, to `branch`, a copy of it, while tenants use the copy.
 *
 * @param report receives a line for each step.
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
    if (rows[0].empty) throw new UsageError('The database is empty: `npm run db -- migrate` keeps nobody waiting.');
    const pending = await readPending(owner);
    if (pending.length === 0)
      throw new UsageError('Nothing to rehearse: current.sql is blank, and no migration waits.');
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
