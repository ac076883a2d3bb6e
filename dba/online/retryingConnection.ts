import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type pg from 'pg';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { describeUrl } from '../../postgres/target/target.ts';
import { newClient } from '../../postgres/withClient.ts';
import { wholeNumber } from '../cli/wholeNumber.ts';

export interface RetryOptions {
  /** Milliseconds to wait for a lock. Statements that queue behind the waiting statement wait as long. */
  readonly lockTimeout: number;
  /** Attempts per transaction, the first included. */
  readonly attempts: number;
}

/**
 * A connection that retries transactions after failures that may pass.
 *
 * States: closed, until the first transaction; open; broken, after a connection failure or a failed ROLLBACK. The next
 * attempt after `broken` opens a new connection.
 */
export interface RetryingConnection {
  /** Runs `work` in a transaction. `work` may run several times, so each run must read its state from the database. */
  transaction<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** SQLSTATEs of a lock timeout, a deadlock and a serialization failure. */
const contentionCodes = ['55P03', '40P01', '40001'];

/** Adds the options `--lock-timeout` and `--attempts` to a command. */
export function withRetryOptions(command: Command): Command {
  const defaults: RetryOptions = { lockTimeout: 1000, attempts: 20 };
  return command
    .option('--lock-timeout <ms>', 'how long to wait for a lock', wholeNumber(1), defaults.lockTimeout)
    .option('--attempts <n>', 'how often a transaction is tried', wholeNumber(1), defaults.attempts);
}

/**
 * Creates a connection that retries contention and lost connections. It connects at the first transaction.
 *
 * @param prepare runs on every new connection, before its first transaction.
 * @param report receives one line for each failure that leads to a retry.
 */
export function openRetryingConnection(
  connectionString: string,
  { lockTimeout, attempts }: RetryOptions,
  prepare: (client: pg.Client) => Promise<void>,
  report: (line: string) => void,
): RetryingConnection {
  let open: pg.Client | undefined;
  const connect = async () => {
    const client = newClient(connectionString, 'hedgerow dba');
    try {
      await client.connect();
      // As in migrations, an unqualified name resolves only to objects of pg_catalog.
      await client.query(`set search_path = pg_catalog; set lock_timeout = ${lockTimeout}`);
      await prepare(client);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    return client;
  };
  const attempt = async <Result>(work: (client: pg.Client) => Promise<Result>) => {
    open ??= await connect();
    try {
      await open.query('begin');
      const result = await work(open);
      await open.query('commit');
      return result;
    } catch (error) {
      const broken = connectionFault(error) !== undefined || !(await rolledBack(open));
      if (broken) {
        await open.end().catch(() => {});
        open = undefined;
      }
      throw error;
    }
  };
  return {
    transaction: async (work) => {
      for (let tried = 1; ; tried += 1) {
        try {
          return await attempt(work);
        } catch (error) {
          const why = reasonToRetry(error);
          if (!why || tried >= attempts) throw error;
          // Jitter keeps several connections from retrying at the same time.
          const pause = Math.min(100 * 2 ** tried, 10_000) * (0.5 + Math.random() / 2);
          report(`${describeUrl(connectionString)}: ${why}; attempt ${tried + 1} of ${attempts}`);
          await sleep(pause);
        }
      }
    },
    close: async () => {
      await open?.end().catch(() => {});
    },
  };
}

function reasonToRetry(error: unknown): string | undefined {
  const fault = connectionFault(error);
  if (fault) return fault.temporary ? fault.cause : undefined;
  const { code = '', message } = error as { code?: string; message: string };
  return contentionCodes.includes(code) ? message : undefined;
}

async function rolledBack(client: pg.Client): Promise<boolean> {
  return client.query('rollback').then(
    () => true,
    () => false,
  );
}
