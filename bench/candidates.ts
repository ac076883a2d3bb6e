import { type BenchContext, type Candidate, startPeer } from './candidate.ts';
import type { Dataset } from './measure.ts';
import type { Options } from './options.ts';
import { hedgerow, type Peer } from './peers.ts';
import { findPgbench, pgbenchNames, startPgbench } from './pgbench.ts';
import { onSmallDatabase, smallRows } from './thresholds.ts';

/**
 * Starts everything that is to be measured. A peer that does not start is left out.
 *
 * @param small where Hedgerow also runs, to compare.
 * @param notes receives what was left out.
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
      notes.push(`${peer.title} was left out: ${(error as Error).message}`);
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
  if (wanted.length > 0 && !pgbench) notes.push('There is no pgbench on this machine: the limit was not measured.');
  if (pgbench) for (const name of wanted) candidates.push(await startPgbench(pgbench, name, context, database));
  return candidates;
}
