import { type Contender, type Ground, startPeer } from './contender.ts';
import { onSmallDatabase, smallRows } from './marks.ts';
import type { Place } from './measure.ts';
import type { Options } from './options.ts';
import { hedgerow, type Peer } from './peers.ts';
import { findPgbench, pgbenchNames, startPgbench } from './pgbench.ts';

/**
 * Starts everything that is to be measured. A peer that does not start is left out.
 *
 * @param small where Hedgerow also runs, to compare.
 * @param notes receives what was left out.
 */
export async function startContenders(
  options: Options,
  peers: readonly Peer[],
  ground: Ground,
  main: Place,
  small: Place | undefined,
  notes: string[],
) {
  const { database, tenants } = main;
  const contenders: Contender[] = [];
  for (const peer of peers) {
    try {
      contenders.push(await startPeer(peer, ground, database, tenants));
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
      contenders.push(await startPeer(onSmall, ground, small.database, small.tenants));
    }
  }
  const wanted = pgbenchNames.filter((name) => options.peers.includes(name));
  const pgbench = wanted.length > 0 ? await findPgbench() : undefined;
  if (wanted.length > 0 && !pgbench) notes.push('There is no pgbench on this machine: the limit was not measured.');
  if (pgbench) for (const name of wanted) contenders.push(await startPgbench(pgbench, name, ground, database));
  return contenders;
}
