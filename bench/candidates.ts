import { type BenchContext, type Candidate, startPeer } from './candidate.ts';
import type { Dataset } from './measure.ts';
import type { Options } from './options.ts';
import { hedgerow, type Peer } from './peers.ts';
import { findPgbench, pgbenchNames, startPgbench } from './pgbench.ts';
import { onSmallDatabase, smallRows } from './thresholds.ts';

/**
 * Starts all candidates. Skips a peer that does not start; only Hedgerow must start.
 *
 * @param small a small dataset, on which Hedgerow runs too for comparison.
 * @param notes receives a note for each skipped candidate.
 */
export async function startCandidates(
  options: Options,
  peers: readonly Peer[],
  context: BenchContext,
  main: Dataset,
  small: Dataset | undefined,
  notes: string[],
) {
  const { database, tenants } = main;
  const candidates: Candidate[] = [];
  for (const peer of peers) {
    try {
      candidates.push(await startPeer(peer, context, database, tenants));
    } catch (error) {
      if (peer === hedgerow) throw error;
      notes.push(`Skipped ${peer.title}: ${(error as Error).message}`);
    }
    if (peer === hedgerow && small) {
      const onSmall = {
        ...hedgerow,
        name: onSmallDatabase,
        title: `Hedgerow, ${smallRows.toLocaleString('en')} todos`,
      };
      candidates.push(await startPeer(onSmall, context, small.database, small.tenants));
    }
  }
  const wanted = pgbenchNames.filter((name) => options.peers.includes(name));
  const pgbench = wanted.length > 0 ? await findPgbench() : undefined;
  if (wanted.length > 0 && !pgbench) notes.push('Skipped pgbench: it is not installed on this machine.');
  if (pgbench) for (const name of wanted) candidates.push(await startPgbench(pgbench, name, context, database));
  return candidates;
}
