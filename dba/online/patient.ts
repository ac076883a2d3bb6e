import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { describeUrl } from '../../postgres/target/target.ts';
import { newClient } from '../../postgres/withClient.ts';

export interface Patience {
  /** Milliseconds to wait for a lock. Statements behind a waiting statement wait as long. */
  readonly lockTimeout: number;
  /** How often a transaction is tried before it is given up. */
  readonly attempts: number;
}

/** A connection whose transactions are tried again where what failed may pass. */
export interface PatientConnection {
  /** Runs `work` in a transaction; `work` runs again after a failure, and must begin from what the database holds. */
  transaction<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** A lock not had in time, a deadlock, a serialization failure. */
const contention = ['55P03', '40P01', '40001'];

/**
 * @param prepare runs on every new connection, before its first transaction.
 * @param report receives a line for each failure that is tried again.
 */
export function openPatient(
  connectionString: string,
  { lockTimeout, attempts }: Patience,
  prepare: (client: pg.Client) => Promise<void>,
  report: (line: string) => void,
): PatientConnection {
  let open: pg.Client | undefined;
  const connect = async () => {
    const client = newClient(connectionString, 'hedgerow dba');
    try {
      await client.connect();
      // As in migrations, nothing is found by its bare name but what Postgres ships.
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
          // Not all at the same time again.
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
  return contention.includes(code) ? message : undefined;
}

async function rolledBack(client: pg.Client): Promise<boolean> {
  return client.query('rollback').then(
    () => true,
    () => false,
  );
}
