import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCluster } from '../../postgres/embedded/cluster.ts';
import type { PgBouncer } from '../support/pgbouncer.ts';
import { type FaultScenario, repeat } from './faultScenarios.ts';
import { between, pick } from './random.ts';

/**
 * Settings of a Postgres that is killed during the run. It must keep every committed row; only the operating system
 * must not fail.
 */
export const crashSettings = { fsync: 'off', full_page_writes: 'off', max_connections: '100' };

const unavailableCodes = ['UNAVAILABLE', 'TIMEOUT'];

/** Kills the postmaster with SIGKILL or SIGQUIT and starts it again after a short pause. */
export function postmasterKilled(directory: string): FaultScenario {
  return {
    name: 'postmaster killed',
    requestCount: 120,
    allowedCodes: unavailableCodes,
    inject: async ({ random, count: did }) => {
      await sleep(between(random, 10, 100));
      const how = pick(random, ['SIGKILL', 'SIGQUIT'] as const);
      const postmaster = await readFile(join(directory, 'postgres', 'data', 'postmaster.pid'), 'utf8');
      process.kill(Number.parseInt(postmaster, 10), how);
      did(how === 'SIGKILL' ? 'the postmaster killed' : 'the postmaster stopped immediately');
      await sleep(between(random, 50, 400));
      await restartPostgres(directory);
    },
  };
}

/** Starts Postgres again. Retries, because it does not start while a process of the old server lives. */
async function restartPostgres(directory: string): Promise<void> {
  const until = performance.now() + 15_000;
  for (;;) {
    try {
      await openCluster({ directory: join(directory, 'postgres'), settings: crashSettings });
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(50);
    }
  }
}

/** Kills PgBouncer with all its connections and starts it again. */
export function poolerRestarted(pooler: PgBouncer): FaultScenario {
  return {
    name: 'PgBouncer restarted',
    requestCount: 120,
    allowedCodes: unavailableCodes,
    inject: (injection) =>
      repeat(injection, 50, 400, async () => {
        await pooler.restart();
        injection.count('PgBouncer restarted');
      }),
  };
}
