import { styleText } from 'node:util';
import type pg from 'pg';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { withMonitoringClient } from '../cli/monitoringClient.ts';
import { table } from '../cli/output.ts';
import { appliedMigrations } from '../migrations/migrationState.ts';

export const unusedIndexesCommand = command('unused-indexes', 'show indexes that no statement has used')
  .option('--json', 'print JSON')
  .action(onTarget(unusedIndexes));

interface Index {
  readonly index: string;
  readonly table: string;
  readonly bytes: number;
  readonly definition: string;
}

// Excludes indexes of constraints, and indexes that a foreign key needs when a parent row is deleted.
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

// If statistics were never reset, they date from the creation of the database; the first migration gives that time.
const since = `
  select stats_reset as since, exists (select from pg_stat_replication) as replicated,
    coalesce(clock_timestamp() - coalesce(stats_reset, $1) < interval '7 days', true) as young
  from pg_stat_database where datname = current_database()`;

interface Statistics {
  readonly since: Date | null;
  /** Whether the statistics cover less than a week, or an unknown time. */
  readonly young: boolean;
  readonly replicated: boolean;
}

async function readStatistics(client: pg.Client): Promise<Statistics | undefined> {
  const [first] = await appliedMigrations(client);
  return (await client.query<Statistics>(since, [first?.date])).rows[0];
}

/** Prints indexes without scans since the statistics were reset. Exits with 1 if there are any after at least a week. */
async function unusedIndexes(target: Target, { json }: { json?: boolean }): Promise<ExitCode> {
  const { rows, statistics } = await withMonitoringClient(target, async (client) => ({
    rows: (await client.query<Index>(indexes)).rows,
    statistics: await readStatistics(client),
  }));
  if (json) console.log(JSON.stringify({ database: target.name, since: statistics?.since ?? null, indexes: rows }));
  else {
    const from = statistics?.since?.toISOString().slice(0, 10) ?? 'the database was created';
    console.log(`${target.name}, statistics since ${from}`);
    if (rows.length === 0)
      console.log(`${styleText('green', '✓')} every index has been used or is needed by a constraint`);
    else
      console.log(
        table(rows, [
          { heading: 'kB', value: ({ bytes }) => Math.ceil(bytes / 1024) },
          { heading: 'index', value: ({ index }) => index },
          { heading: 'definition', value: ({ definition }) => definition },
        ]),
      );
    if (statistics?.young) console.log('The statistics may cover less than a week: wait before you drop an index.');
    if (statistics?.replicated) console.log('Replicas have separate statistics: check them, too.');
  }
  return rows.length > 0 && !statistics?.young ? 1 : 0;
}
