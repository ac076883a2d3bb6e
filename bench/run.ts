import { randomBytes } from 'node:crypto';
import { keysOf } from '../server/auth/tokens/keys.ts';
import type { BenchContext, Candidate } from './candidate.ts';
import { startCandidates } from './candidates.ts';
import { type BenchCluster, openBenchCluster } from './database.ts';
import { installDependencies } from './dependencies.ts';
import { tidy } from './fill.ts';
import { startLoad } from './load.ts';
import { loadNotes, machine } from './machine.ts';
import { type Dataset, measure, type Series } from './measure.ts';
import { measureNoisy } from './noisy/measureNoisy.ts';
import { compareNoisyWithThresholds } from './noisy/noisyThresholds.ts';
import { toNoisyRows } from './noisy/summary.ts';
import type { Options } from './options.ts';
import { baseline, hedgerow, type Peer, peers } from './peers.ts';
import type { Report } from './progress.ts';
import type { Results } from './results.ts';
import { measureRevocation } from './revocation.ts';
import { stopServers } from './serverProcess.ts';
import { measureStartup } from './startup.ts';
import { toRows } from './statistics.ts';
import { createTokens, measuredTenants } from './tenants.ts';
import { compareWithThresholds, smallRows } from './thresholds.ts';

async function openDataset(cluster: BenchCluster, rows: number, report: Report): Promise<Dataset> {
  const database = await cluster.database(rows, report);
  const tenants = await measuredTenants(database);
  // Remove rows that an interrupted run left behind.
  await tidy(
    database.admin,
    tenants.map(({ userId }) => userId),
  );
  return { database, tenants };
}

/** The selected peers, with the baseline after Hedgerow. */
function chosenPeers({ peers: names, baseline: directory }: Options): Peer[] {
  return peers
    .filter(({ name }) => names.includes(name))
    .flatMap((peer) => (peer === hedgerow && directory ? [peer, baseline(directory)] : [peer]));
}

/**
 * Runs the measurements that the options select.
 *
 * @param cleanUp receives functions that the caller must run afterwards, also after an error.
 */
export async function run(options: Options, report: Report, cleanUp: (() => unknown)[]): Promise<Results> {
  const { connections, seconds, rounds, check } = options;
  const withTable = options.workloads.length > 0 && (check || !(options.revocation || options.startup));
  if (withTable) await installDependencies(report);
  report('starting Postgres in .data/bench');
  const cluster = await openBenchCluster();
  cleanUp.push(() => cluster.close(), stopServers);
  const main = await openDataset(cluster, options.rows, report);
  const small = options.rows > smallRows && withTable ? await openDataset(cluster, smallRows, report) : undefined;
  const jwtSecret = randomBytes(32).toString('hex');
  const load = startLoad();
  cleanUp.push(() => load.stop());
  const context: BenchContext = {
    cluster,
    load,
    jwtSecret,
    tokenOf: createTokens(keysOf({ jwtSecret })),
    connections,
    seconds,
  };

  const notes = loadNotes();
  const chosen = chosenPeers(options);
  const candidates: Candidate[] = [];
  const series: Series[] = [];
  if (withTable) {
    report('starting the servers');
    candidates.push(...(await startCandidates(options, chosen, context, main, small, notes)));
    cleanUp.push(...candidates.map((candidate) => candidate.stop));
    for (const workload of options.workloads) {
      series.push(...(await measure(workload, candidates, rounds, small ? [main, small] : [main], report)));
    }
    for (const candidate of candidates) await candidate.stop();
  }
  // A failure of the measurements below becomes a note, so that the results of the table are not lost.
  const orNote = <T>(what: string, work: () => Promise<T>) =>
    work().catch((error: Error) => {
      if (!withTable) throw error;
      notes.push(`${what} could not be measured: ${error.message}`);
      return undefined;
    });
  const noisy = options.noisy
    ? await orNote('The noisy workload', () =>
        measureNoisy(chosen, options.attacks, cluster, context, options.rows, rounds, report, cleanUp),
      )
    : undefined;
  const noisyRows = noisy && toNoisyRows(noisy);
  const startup =
    check || options.startup
      ? await orNote('Start-up', () => measureStartup(hedgerow, context, main, report))
      : undefined;
  const revocation =
    check || options.revocation
      ? await orNote('Revocation', () => measureRevocation(context, rounds, main, report))
      : undefined;
  return {
    when: new Date().toISOString(),
    machine: machine(),
    node: process.versions.node,
    postgres: cluster.version,
    options,
    candidates: candidates.map(({ name, title, rows }) => ({ name, title, rows })),
    rows: toRows(series),
    series,
    ...(noisy && { noisy: { rows: noisyRows ?? [], series: noisy } }),
    ...(check && { marks: compareWithThresholds(series, startup).concat(compareNoisyWithThresholds(noisyRows ?? [])) }),
    ...(revocation && { revocation }),
    ...(startup && { startup }),
    notes,
  };
}
