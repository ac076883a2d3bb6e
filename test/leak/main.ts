import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openTestCluster, type TestCluster } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { addFaultFunctions } from './faultFunctions.ts';
import { type FaultScenario, faultScenarios as shortScenarios } from './faultScenarios.ts';
import { crashSettings, poolerRestarted, postmasterKilled } from './outages.ts';
import { Report } from './report.ts';
import { runLeakTest } from './run.ts';
import { startTarget } from './target.ts';

const help = `Usage: npm run test:leak -- [options]

Sends interleaved requests of eight tenants and of unauthenticated clients to the real server while the database fails,
and checks each answer against the tenant's own writes. Starts its own Postgres, and PgBouncer if it is on the PATH.

  --requests N      number of requests (100000); more if a fault scenario has not run yet
  --pool 1|3|both   connections of the server's pool (both: half of the requests each)
  --seed N          repeat the random choices of an earlier run (random)
  --help            show this text

Exit code: 0 passed; 1 a leak, a hang or a lost write, with the seed to repeat it; 2 wrong usage.
`;

interface Options {
  readonly requests: number;
  readonly pools: readonly number[];
  readonly seed: number;
}

/** Reads the command line. @returns undefined for --help. @throws TypeError if an option is invalid. */
function readOptions(): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { requests: text, pool: text, seed: text, help: { type: 'boolean' } } });
  if (values.help) return undefined;
  const number = (name: 'requests' | 'seed', otherwise: number) => {
    const value = values[name] ?? String(otherwise);
    if (!/^\d{1,9}$/.test(value)) throw new TypeError(`--${name} must be a whole number: ${value}`);
    return Number(value);
  };
  const pools = { 1: [1], 3: [3], both: [1, 3] }[values.pool ?? 'both'];
  if (!pools) throw new TypeError(`--pool must be 1, 3 or both: ${values.pool}`);
  return { requests: number('requests', 100_000), pools, seed: number('seed', Math.floor(Math.random() * 1e9)) };
}

/**
 * The scenarios with longer rounds than `npm run test:slow` has time for. Scenarios of slow statements keep their
 * length.
 */
const longScenarios = shortScenarios.map((scenario) =>
  scenario.requestCount >= 80 ? { ...scenario, requestCount: scenario.requestCount * 3 } : scenario,
);

/** Share of the requests that go through PgBouncer. */
const pooledShare = 0.1;

let interrupted = false;
let reported = performance.now();

async function main({ requests, pools, seed }: Options): Promise<number> {
  const report = new Report(seed);
  console.error(`seed ${seed}`);
  process.once('SIGINT', () => {
    interrupted = true;
    console.error('stopping after this round; press Ctrl+C again to stop now');
  });
  const directory = await mkdtemp(join(tmpdir(), 'hedgerow-leak-'));
  try {
    const cluster = await openTestCluster(directory, crashSettings);
    try {
      const pooled = hasPgBouncer();
      if (!pooled) console.error('pgbouncer is not on the PATH; skipping the rounds through it');
      for (const pool of pools) {
        const share = requests / pools.length;
        const direct = pooled ? share * (1 - pooledShare) : share;
        await runPart(cluster, report, `pool of ${pool}`, pool, direct, [
          ...longScenarios,
          postmasterKilled(directory),
        ]);
        if (pooled) await runPooledPart(cluster, report, pool, share - direct);
      }
    } finally {
      await cluster.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  console.log(String(report));
  return report.failures.length === 0 ? 0 : 1;
}

async function runPooledPart(cluster: TestCluster, report: Report, pool: number, requests: number): Promise<void> {
  const pooler = await startPgBouncer(cluster.serverUrl);
  try {
    const through = { ...cluster, serverUrl: pooler.url, preparedStatements: false };
    await runPart(through, report, `pool of ${pool}, through PgBouncer`, pool, requests, [
      ...longScenarios,
      poolerRestarted(pooler),
    ]);
  } finally {
    await pooler.stop();
  }
}

/** Runs one part of the test with its own database and server. */
async function runPart(
  cluster: TestCluster,
  report: Report,
  name: string,
  pool: number,
  requests: number,
  faultScenarios: readonly FaultScenario[],
): Promise<void> {
  if (interrupted || report.failures.length > 0) return;
  process.env.TEST_CLUSTER = JSON.stringify(cluster);
  const db: TestDatabase = await createTestDatabase();
  try {
    await addFaultFunctions(db);
    const target = await startTarget(db, pool);
    try {
      const shouldContinue = () => {
        if (performance.now() - reported > 3000) {
          reported = performance.now();
          console.error(`${report.requests} requests (${name}), ${report.rounds} rounds, ${report.probes} probes`);
        }
        return !interrupted;
      };
      await runLeakTest(target, { report, requests, faultScenarios, shouldContinue });
    } finally {
      await target.close();
    }
  } finally {
    await db.drop();
  }
}

function hasPgBouncer(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let options: Options | undefined;
try {
  options = readOptions();
  if (!options) console.log(help);
} catch (error) {
  console.error(`${(error as Error).message}\n\n${help}`);
  process.exitCode = 2;
}
if (options) process.exitCode = await main(options);
