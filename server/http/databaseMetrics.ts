import type { Registry } from 'prom-client';
import type { Database } from '../database/database.ts';
import { readMetrics } from './readMetrics.ts';

/** Adds what `database` counts by itself: its pool, how transactions ended, what was thrown away and tried again. */
export function registerDatabaseMetrics(registry: Registry, database: Database): void {
  const { counts } = database;
  const { counter, gauge, labelled } = readMetrics(registry);
  gauge('database_pool_open', 'Database connections that are open', () => database.load().open);
  gauge('database_pool_idle', 'Database connections that are idle', () => database.load().idle);
  gauge('database_pool_waiting', 'Requests that wait for a database connection', () => database.load().waiting);
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
