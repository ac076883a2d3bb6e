import { Option } from 'commander';
import type pg from 'pg';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { databaseOf } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { command, onTarget } from '../cli/command.ts';
import { withMonitoringClient } from '../cli/monitoringClient.ts';
import { table } from '../cli/output.ts';
import { wholeNumber } from '../cli/wholeNumber.ts';

const orders = ['total', 'mean', 'calls'] as const;

interface Options {
  readonly order: (typeof orders)[number];
  readonly limit: number;
  readonly json?: boolean;
}

export const slowCommand = command('slow', 'show the statements that take the most time, from pg_stat_statements')
  .addOption(new Option('--order <by>', 'sort key, in descending order').choices(orders).default('total'))
  .option('--limit <number>', 'maximum number of statements', wholeNumber(1), 20)
  .option('--json', 'print JSON')
  .action(onTarget(slow));

/** SQLSTATE object_not_in_prerequisite_state: the extension is installed, but not in shared_preload_libraries. */
const notLoaded = '55000';

interface Slow {
  /** The first GraphQL operation that ran the statement; null if there is none or it has no name. */
  readonly operation: string | null;
  readonly calls: number;
  /** Milliseconds. */
  readonly mean: number;
  readonly total: number;
  /** Share of the total time of all statements in this database, in percent. */
  readonly share: number;
  readonly rows: number;
  /** Pages found in shared buffers, in percent of all pages read. */
  readonly hits: number | null;
  readonly statement: string;
}

// Only statements that read or change rows, because Postgres replaces their values with $1. Others may show values.
const statements = (view: string) => `
  select substring(query from '/\\* operation (\\w+) \\*/') as operation, calls::float8 as calls,
    mean_exec_time as mean, total_exec_time as total, 100 * total_exec_time / nullif(sum(total_exec_time) over (), 0) as share,
    rows::float8 as rows, 100.0 * shared_blks_hit / nullif(shared_blks_hit + shared_blks_read, 0) as hits,
    regexp_replace(regexp_replace(query, '/\\* operation \\w+ \\*/ ?', ''), '\\s+', ' ', 'g') as statement
  from ${view}
  where dbid = (select oid from pg_database where datname = $1)
    and query ~* '^\\s*(select|insert|update|delete|merge|with)\\M'`;

/** Prints the slowest statements of the target's database. */
async function slow(target: Target, { order, limit, json }: Options): Promise<ExitCode> {
  const database = databaseOf(target.ownerUrl);
  const read = (client: pg.Client) => readStatements(client, database, order, limit);
  // The view covers all databases, so try the admin's database too if only that one has the extension.
  const found =
    (await withMonitoringClient(target, read)) ?? (target.adminUrl && (await withClient(target.adminUrl, read)));
  if (!found) {
    throw new UsageError(
      'pg_stat_statements is not available. Add it to shared_preload_libraries and restart Postgres (not needed on Neon). Then run as an admin: create extension pg_stat_statements.',
    );
  }
  if (json) console.log(JSON.stringify({ database: target.name, statements: found }));
  else {
    console.log(target.name);
    console.log(
      table(found, [
        { heading: 'total ms', value: ({ total }) => Math.round(total) },
        { heading: 'share', value: ({ share }) => `${Math.round(share)} %` },
        { heading: 'calls', value: ({ calls }) => calls },
        { heading: 'mean ms', value: ({ mean }) => Number(mean.toPrecision(3)) },
        { heading: 'rows', value: ({ rows }) => rows },
        { heading: 'in memory', value: ({ hits }) => (hits === null ? undefined : `${Math.floor(hits)} %`) },
        { heading: 'operation', value: ({ operation }) => operation },
        { heading: 'statement', value: ({ statement }) => statement.slice(0, 160) },
      ]),
    );
  }
  return 0;
}

/** Returns `undefined` if the extension is not loaded, or not installed in the database of `client`. */
async function readStatements(
  client: pg.Client,
  database: string,
  order: Options['order'],
  limit: number,
): Promise<Slow[] | undefined> {
  const { rows } = await client.query(
    `select format('%I.pg_stat_statements', n.nspname) as view from pg_extension e join pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'pg_stat_statements'`,
  );
  const view: string | undefined = rows[0]?.view;
  if (!view) return undefined;
  try {
    return (await client.query<Slow>(`${statements(view)} order by ${order} desc limit $2`, [database, limit])).rows;
  } catch (error) {
    if ((error as pg.DatabaseError).code === notLoaded) return undefined;
    throw error;
  }
}
