import { withClient } from '../../postgres/withClient.ts';

/** How much a table is used. */
export interface Activity {
  readonly rows: number;
  readonly bytes: number;
  /** Scans and changed rows since Postgres began to count. */
  readonly reads: number;
  readonly writes: number;
}

/** What is known of the tables of a database that is in use, by their quoted names. */
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

/** What makes a table one whose users notice a lock. */
const many = { rows: 10_000, perSecond: 1 };

export interface Use {
  readonly rows: number;
  readonly bytes: number;
  /** Scans and changed rows a second while we looked. */
  readonly readRate: number;
  readonly writeRate: number;
  readonly busy: boolean;
}

/** Compares what is known of a table at two times, `seconds` apart. */
export function useOf(before: Activity | undefined, after: Activity | undefined, seconds: number): Use | undefined {
  if (!before || !after) return undefined;
  const readRate = Math.max(0, after.reads - before.reads) / seconds;
  const writeRate = Math.max(0, after.writes - before.writes) / seconds;
  const { rows, bytes } = after;
  return { rows, bytes, readRate, writeRate, busy: rows >= many.rows || readRate + writeRate >= many.perSecond };
}
