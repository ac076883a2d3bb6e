import { withClient } from '../../postgres/withClient.ts';

/** The size and the statistics counters of a table. */
export interface Activity {
  readonly rows: number;
  readonly bytes: number;
  /** Scans and changed rows since the statistics were last reset. */
  readonly reads: number;
  readonly writes: number;
}

/** Reads the activity of all tables of the database, by quoted table name. */
export async function readActivity(ownerUrl: string): Promise<Map<string, Activity>> {
  return withClient(ownerUrl, async (client) => {
    const { rows } = await client.query<Activity & { table: string }>(
      `select format('%I.%I', s.schemaname, s.relname) as "table", coalesce(nullif(greatest(c.reltuples, 0), 0), s.n_live_tup)::float8 as rows,
         pg_total_relation_size(s.relid)::float8 as bytes, (s.seq_scan + coalesce(s.idx_scan, 0))::float8 as reads,
         (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::float8 as writes
       from pg_stat_user_tables s join pg_class c on c.oid = s.relid`,
    );
    return new Map(rows.map(({ table, ...activity }) => [table, activity]));
  });
}

/** A table with this many rows, or this many scans and changed rows per second, counts as busy. */
const busyFrom = { rows: 10_000, perSecond: 1 };

export interface Use {
  readonly rows: number;
  readonly bytes: number;
  /** Scans and changed rows per second during the rehearsal. */
  readonly readRate: number;
  readonly writeRate: number;
  readonly busy: boolean;
}

/** Computes the rates of a table from its counters at two times, `seconds` apart. */
export function useOf(before: Activity | undefined, after: Activity | undefined, seconds: number): Use | undefined {
  if (!before || !after) return undefined;
  const readRate = Math.max(0, after.reads - before.reads) / seconds;
  const writeRate = Math.max(0, after.writes - before.writes) / seconds;
  const { rows, bytes } = after;
  return {
    rows,
    bytes,
    readRate,
    writeRate,
    busy: rows >= busyFrom.rows || readRate + writeRate >= busyFrom.perSecond,
  };
}
