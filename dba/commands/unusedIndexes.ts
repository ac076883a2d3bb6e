import { styleText } from 'node:util';
import type pg from 'pg';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { lookAt } from '../cli/lookAt.ts';
import { table } from '../cli/table.ts';
import { appliedMigrations } from '../migrations/migrationState.ts';

export const unusedIndexesCommand = command('unused-indexes', 'show indexes that no statement has used')
  .option('--json', 'for machines')
  .action(onTarget(unusedIndexes));

interface Index {
  readonly index: string;
  readonly table: string;
  readonly bytes: number;
  readonly definition: string;
}

// Not told: what holds a constraint, and what a foreign key needs when its parent's row goes.
const indexes = `
  select format('%I.%I', s.schemaname, s.indexrelname) as index, format('%I.%I', s.schemaname, s.relname) as table,
    pg_relation_size(s.indexrelid)::float8 as bytes, pg_get_indexdef(s.indexrelid) as definition
  from pg_stat_user_indexes s join pg_index i on i.indexrelid = s.indexrelid
  where s.idx_scan = 0 and not i.indisunique
    and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = i.indrelid)
    and not exists (
      select from pg_constraint f where f.conrelid = i.indrelid and f.contype = 'f'
        and f.conkey @> (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(f.conkey)]
        and f.conkey <@ (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(f.conkey)]
    )
  order by 3 desc, 1`;

// A database whose statistics were never reset has them since it was made, which its first migration tells.
const since = `
  select stats_reset as since, exists (select from pg_stat_replication) as replicated,
    coalesce(clock_timestamp() - coalesce(stats_reset, $1) < interval '7 days', true) as young
  from pg_stat_database where datname = current_database()`;

interface Statistics {
  readonly since: Date | null;
  /** They are of less than a week, or nobody knows. */
  readonly young: boolean;
  readonly replicated: boolean;
}

async function readStatistics(client: pg.Client): Promise<Statistics | undefined> {
  const [first] = await appliedMigrations(client);
  return (await client.query<Statistics>(since, [first?.date])).rows[0];
}

/** Indexes without a use since the statistics began: 1 where there are any and a week has gone by. */
async function unusedIndexes(target: Target, { json }: { json?: boolean }): Promise<ExitCode> {
  const { rows, statistics } = await lookAt(target, async (client) => ({
    rows: (await client.query<Index>(indexes)).rows,
    statistics: await readStatistics(client),
  }));
  if (json) console.log(JSON.stringify({ database: target.name, since: statistics?.since ?? null, indexes: rows }));
  else {
    const from = statistics?.since?.toISOString().slice(0, 10) ?? 'the database was made';
    console.log(`${target.name}, statistics since ${from}`);
    if (rows.length === 0) console.log(`${styleText('green', '✓')} every index has been used, or holds a constraint`);
    else
      console.log(
        table(rows, [
          { heading: 'kB', value: ({ bytes }) => Math.ceil(bytes / 1024) },
          { heading: 'index', value: ({ index }) => index },
          { heading: 'definition', value: ({ definition }) => definition },
        ]),
      );
    if (statistics?.young) console.log('That may be less than a week: wait before you drop any.');
    if (statistics?.replicated) console.log('Replicas have statistics of their own: look there, too.');
  }
  return rows.length > 0 && !statistics?.young ? 1 : 0;
}
