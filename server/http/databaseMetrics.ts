import type { Registry } from 'prom-client';
import type { Database } from '../database/database.ts';
import type { LaneCounts } from '../database/lanes.ts';
import { readMetrics } from './readMetrics.ts';

/** Adds what `database` counts by itself: its pool, how transactions ended, what was thrown away and tried again. */
export function registerDatabaseMetrics(registry: Registry, database: Database): void {
  const { counts } = database;
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
    Object.fromEntries(Object.entries(counts.lanes).map(([lane, of]) => [lane, read(of)]));
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
  counter('database_pool_waits_total', 'Times that a connection was asked for', () => counts.waits);
  counter('database_pool_wait_seconds_total', 'Time spent waiting for a connection', () => counts.waitSeconds);
  counter('database_retries_total', 'Attempts to connect or to read that were made again', () => counts.retries);
  counter('database_shared_total', 'Transactions that went to Postgres in one write with others', () => counts.shared);
  counter(
    'database_apart_total',
    'Transactions that took too long beside others, and were run again alone',
    () => counts.apart,
  );
  labelled('database_transactions_total', 'Transactions, by how they ended', 'outcome', () => counts.transactions);
  labelled('database_connections_destroyed_total', 'Connections not handed on', 'reason', () => counts.destroyed);
  if (counts.replica) {
    const { replica } = counts;
    labelled('database_replica_reads_total', 'Reads, by what the replica made of them', 'outcome', () => replica);
  }
}
