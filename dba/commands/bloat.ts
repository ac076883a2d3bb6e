import { styleText } from 'node:util';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { lookAt } from '../cli/lookAt.ts';
import { table } from '../cli/table.ts';

export const bloatCommand = command(
  'bloat',
  'show dead rows that vacuum has not come by, and the age of the oldest ones',
)
  .option('--json', 'for machines')
  .action(onTarget(bloat));

interface Found {
  readonly table: string;
  readonly bytes: number;
  readonly live: number;
  readonly dead: number;
  /** When vacuum was here last, by itself or asked to; null for never. */
  readonly vacuumed: Date | null;
  /** How much of the way to a forced vacuum against wraparound is gone, in percent. */
  readonly freeze: number;
  /** More dead rows than twice the number at which autovacuum should have come. */
  readonly overdue: boolean;
}

// The counts are the statistics collector's estimates. How much free space is inside of a table's files no catalog tells.
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

/** What vacuum has left: 1 where a table is overdue, or near to a forced vacuum. */
async function bloat(target: Target, { json }: { json?: boolean }): Promise<ExitCode> {
  const all = await lookAt(target, async (client) => (await client.query<Found>(tables)).rows);
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
        'An open transaction or a replication slot may keep vacuum from removing rows: see `npm run db -- locks`.',
      );
  }
  return found.length > 0 ? 1 : 0;
}
