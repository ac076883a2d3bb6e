import { styleText } from 'node:util';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { withMonitoringClient } from '../cli/monitoringClient.ts';
import { table } from '../cli/output.ts';

export const locksCommand = command(
  'locks',
  'show sessions that wait for locks, the sessions that block them, and long transactions',
)
  .option('--json', 'print JSON')
  .action(onTarget(locks));

interface Session {
  readonly pid: number;
  readonly role: string | null;
  readonly application: string;
  readonly state: string | null;
  /** Seconds since its transaction began. */
  readonly transaction: number | null;
  /** Seconds that it has waited for a lock; null if it is not waiting. */
  readonly waiting: number | null;
  /** The lock that it waits for; null if it is not waiting. */
  readonly wants: string | null;
  readonly blocked_by: number[];
  /** Table locks that block writes, or both reads and writes, of other sessions. */
  readonly holds: string[];
  readonly statement: string;
}

// The text of a prepared statement contains no bound values, so the output shows none.
const sessions = `
  with activity as (
    select a.*, pg_blocking_pids(a.pid) as blocked_by from pg_stat_activity a
    where a.datname = current_database() and a.pid <> pg_backend_pid()
      -- backend_type is null if it is hidden from the role.
      and coalesce(a.backend_type, 'client backend') = 'client backend'
  )
  select a.pid, a.usename as role, a.application_name as application, a.state,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 as transaction,
    wanted.waiting, wanted.wants, a.blocked_by,
    array(
      select format('%s on %s', l.mode, l.relation::regclass) from pg_locks l
      where l.pid = a.pid and l.granted and l.locktype = 'relation'
        and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        and l.relation >= 16384 order by 1
    ) as holds,
    left(regexp_replace(a.query, '\\s+', ' ', 'g'), 300) as statement
  from activity a
  left join lateral (
    select extract(epoch from clock_timestamp() - coalesce(l.waitstart, a.query_start))::float8 as waiting,
      format('%s on %s', l.mode, coalesce(l.relation::regclass::text, l.locktype)) as wants
    from pg_locks l where l.pid = a.pid and not l.granted limit 1
  ) wanted on true
  where cardinality(a.blocked_by) > 0
    or exists (select from activity other where a.pid = any (other.blocked_by))
    or clock_timestamp() - a.xact_start > interval '1 minute'
  order by cardinality(a.blocked_by), a.xact_start`;

/** Prints the sessions. Exits with 1 if one waits for a lock, or if a transaction is older than a minute. */
async function locks(target: Target, { json }: { json?: boolean }): Promise<ExitCode> {
  const { found, seesAll } = await withMonitoringClient(target, async (client, seesAll) => ({
    found: (await client.query<Session>(sessions)).rows,
    seesAll,
  }));
  if (json) console.log(JSON.stringify({ database: target.name, transactionsHidden: !seesAll, sessions: found }));
  else report(target.name, found, seesAll);
  return found.length > 0 ? 1 : 0;
}

function report(name: string, found: readonly Session[], seesAll: boolean): void {
  console.log(name);
  if (found.length === 0) {
    const old = seesAll ? 'and no transaction is older than a minute' : 'but the age of transactions is hidden';
    console.log(`${styleText('green', '✓')} no session waits for a lock, ${old}`);
    return;
  }
  const seconds = (value: number | null) => (value === null ? undefined : `${value.toFixed(1)} s`);
  console.log(
    table(found, [
      { heading: 'pid', value: ({ pid }) => pid },
      { heading: 'waits for', value: ({ blocked_by }) => blocked_by.join(', ') || undefined },
      { heading: 'waiting', value: ({ waiting }) => seconds(waiting) },
      { heading: 'transaction', value: ({ transaction }) => seconds(transaction) },
      { heading: 'role', value: ({ role }) => role },
      { heading: 'application', value: ({ application }) => application },
      { heading: 'state', value: ({ state }) => state },
      { heading: 'lock', value: ({ wants, holds }) => (wants ? `wants ${wants}` : holds.join(', ') || undefined) },
      { heading: 'statement', value: ({ statement }) => statement },
    ]),
  );
  console.log(
    'To stop a session: select pg_cancel_backend(pid) cancels its statement, pg_terminate_backend(pid) closes its connection.',
  );
}
