import { styleText } from 'node:util';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { withMonitoringClient } from '../cli/monitoringClient.ts';
import { table } from '../cli/output.ts';

export const bloatCommand = command(
  'bloat',
  'show dead rows that vacuum has not removed, and how near each table is to a forced vacuum',
)
  .option('--json', 'print JSON')
  .action(onTarget(bloat));

interface Found {
  readonly table: string;
  readonly bytes: number;
  readonly live: number;
  readonly dead: number;
  /** The last vacuum or autovacuum; null if never. */
  readonly vacuumed: Date | null;
  /** Age of the oldest row, in percent of autovacuum_freeze_max_age. At 100 a vacuum against wraparound is forced. */
  readonly freeze: number;
  /** Whether there are more than twice as many dead rows as autovacuum's threshold. */
  readonly overdue: boolean;
}

// The counts are estimates of the statistics system. The catalog does not show the free space inside a table's files.
const tables = `
  with settings as (
    select c.oid, coalesce(o.threshold, current_setting('autovacuum_vacuum_threshold'))::float8 as threshold,
      coalesce(o.scale, current_setting('autovacuum_vacuum_scale_factor'))::float8 as scale
    from pg_class c, lateral (
      select max(option_value) filter (where option_name = 'autovacuum_vacuum_threshold') as threshold,
        max(option_value) filter (where option_name = 'autovacuum_vacuum_scale_factor') as scale
      from pg_options_to_table(c.reloptions)
    ) o
  )
  select format('%I.%I', t.schemaname, t.relname) as table, pg_table_size(t.relid)::float8 as bytes,
    t.n_live_tup::float8 as live, t.n_dead_tup::float8 as dead, greatest(t.last_vacuum, t.last_autovacuum) as vacuumed,
    (100.0 * age(c.relfrozenxid) / current_setting('autovacuum_freeze_max_age')::float8)::float8 as freeze,
    t.n_dead_tup > 2 * (s.threshold + s.scale * greatest(c.reltuples, 0)) as overdue
  from pg_stat_user_tables t join pg_class c on c.oid = t.relid join settings s on s.oid = t.relid
  order by t.n_dead_tup desc, 1`;

/** Prints the work that vacuum has left. Exits with 1 if a table is overdue, or above 90 % of the age for a forced vacuum. */
async function bloat(target: Target, { json }: { json?: boolean }): Promise<ExitCode> {
  const all = await withMonitoringClient(target, async (client) => (await client.query<Found>(tables)).rows);
  const found = all.filter(({ overdue, freeze }) => overdue || freeze > 90);
  if (json) console.log(JSON.stringify({ database: target.name, tables: all }));
  else {
    console.log(target.name);
    console.log(
      table(all, [
        { heading: 'table', value: (row) => row.table },
        { heading: 'MB', value: ({ bytes }) => Math.ceil(bytes / 2 ** 20) },
        { heading: 'live rows', value: ({ live }) => live },
        { heading: 'dead rows', value: ({ dead }) => dead },
        { heading: 'vacuumed', value: ({ vacuumed }) => vacuumed?.toISOString().slice(0, 16).replace('T', ' ') },
        { heading: 'freeze', value: ({ freeze }) => `${Math.round(freeze)} %` },
        { heading: '', value: (row) => (found.includes(row) ? styleText('red', 'vacuum it') : ' ') },
      ]),
    );
    if (found.length > 0)
      console.log(
        'An open transaction or a replication slot may prevent vacuum from removing rows: see `npm run db -- locks`.',
      );
  }
  return found.length > 0 ? 1 : 0;
}
