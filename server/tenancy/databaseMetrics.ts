import type { Registry } from 'prom-client';
import type { LaneCounts } from '../../postgres/lanes.ts';
import { readMetrics } from '../http/readMetrics.ts';
import type { Database } from './tenantDatabase.ts';

/** Adds what `database` counts by itself: its pool, how transactions ended, what was thrown away and tried again. */
export const databaseMetrics =
  (database: Database) =>
  (registry: Registry): void => {
    const { counter, gauge, labelled, labelledGauge } = readMetrics(registry);
    gauge('database_pool_open', 'Database connections that are open', () => database.load().open);
    gauge('database_pool_idle', 'Database connections that are idle', () => database.load().idle);
    gauge('database_pool_waiting', 'Requests that wait for a database connection', () => database.load().waiting);
    gauge(
      'database_pool_draining',
      'Connections that are kept because Postgres has not answered a commit whose request was given up',
      () => database.load().draining,
    );
    labelledGauge(
      'database_lane_in_use',
      'Connections in use by writes, slow statements and exports',
      'lane',
      () => database.load().lanes,
    );
    const ofLanes = (read: (counts: LaneCounts) => number) => () =>
      Object.fromEntries(Object.entries(database.counts.lanes).map(([lane, of]) => [lane, read(of)]));
    labelled(
      'database_lane_waits_total',
      'Requests that waited for a share of the connections',
      'lane',
      ofLanes(({ waits }) => waits),
    );
    labelled(
      'database_lane_wait_seconds_total',
      'Time spent waiting for a share of the connections',
      'lane',
      ofLanes(({ waitSeconds }) => waitSeconds),
    );
    counter('database_pool_waits_total', 'Times that a connection was asked for', () => database.counts.waits);
    counter(
      'database_pool_wait_seconds_total',
      'Time spent waiting for a connection',
      () => database.counts.waitSeconds,
    );
    counter(
      'database_retries_total',
      'Attempts to connect or to read that were made again',
      () => database.counts.retries,
    );
    counter(
      'database_pipelined_total',
      'Transactions that were sent to Postgres in one write with others',
      () => database.counts.pipelined,
    );
    counter(
      'database_pipelining_bypassed_total',
      'Transactions that were too slow for a shared connection, and were run again',
      () => database.counts.bypassed,
    );
    labelled(
      'database_transactions_total',
      'Transactions, by how they ended',
      'outcome',
      () => database.counts.transactions,
    );
    labelled(
      'database_connections_destroyed_total',
      'Connections not handed on',
      'reason',
      () => database.counts.destroyed,
    );
    const { replica } = database.counts;
    if (replica) {
      labelled('database_replica_reads_total', 'Reads, by outcome on the replica', 'outcome', () => replica);
    }
  };
