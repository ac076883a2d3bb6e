import type { Registry } from 'prom-client';
import type { ShareCounts } from '../../postgres/connectionShares.ts';
import { readMetrics } from '../http/readMetrics.ts';
import type { Database } from './tenantDatabase.ts';

/** Adds metrics of `database`: its pool, connection shares, outcomes of transactions, destroyed connections and retries. */
export const databaseMetrics =
  (database: Database) =>
  (registry: Registry): void => {
    const { counter, gauge, labelled, labelledGauge } = readMetrics(registry);
    gauge('database_pool_open', 'Database connections that are open', () => database.load().open);
    gauge('database_pool_idle', 'Database connections that are idle', () => database.load().idle);
    gauge('database_pool_waiting', 'Requests that wait for a database connection', () => database.load().waiting);
    gauge(
      'database_pool_draining',
      'Connections that are kept because Postgres has not answered the commit of a canceled request',
      () => database.load().draining,
    );
    labelledGauge(
      'database_lane_in_use',
      'Connections in use by writes, unshared transactions, slow statements and exports',
      'lane',
      () => database.load().shares,
    );
    const byShare = (read: (counts: ShareCounts) => number) => () =>
      Object.fromEntries(Object.entries(database.counts.shares).map(([share, counts]) => [share, read(counts)]));
    labelled(
      'database_lane_waits_total',
      'Requests that waited for a connection share',
      'lane',
      byShare(({ waits }) => waits),
    );
    labelled(
      'database_lane_wait_seconds_total',
      'Time that requests waited for a connection share',
      'lane',
      byShare(({ waitSeconds }) => waitSeconds),
    );
    counter('database_pool_waits_total', 'Requests for a connection', () => database.counts.waits);
    counter(
      'database_pool_wait_seconds_total',
      'Time that requests waited for a connection',
      () => database.counts.waitSeconds,
    );
    counter(
      'database_retries_total',
      'Repeated attempts to connect and repeated transactions',
      () => database.counts.retries,
    );
    counter(
      'database_pipelined_total',
      'Transactions that were sent to Postgres in one write with others',
      () => database.counts.pipelined,
    );
    counter(
      'database_pipelining_bypassed_total',
      'Transactions that were too slow for their connection, and ran again on another one',
      () => database.counts.bypassed,
    );
    labelled('database_transactions_total', 'Transactions by outcome', 'outcome', () => database.counts.transactions);
    labelled(
      'database_connections_destroyed_total',
      'Connections that were destroyed instead of reused',
      'reason',
      () => database.counts.destroyed,
    );
    const { replica } = database.counts;
    if (replica) {
      labelled('database_replica_reads_total', 'Reads by outcome on the replica', 'outcome', () => replica);
    }
  };
