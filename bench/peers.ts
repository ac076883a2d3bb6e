import { basename, join } from 'node:path';
import { root } from '../common/root.ts';
import type { Api } from './apis/api.ts';
import { postgraphile4 } from './apis/postgraphile4.ts';
import { hedgerowApi, postgraphile5 } from './apis/postgraphile5.ts';
import { rest } from './apis/rest.ts';
import { yoga } from './apis/yoga.ts';
import type { ApiName } from './noisy/attacks.ts';

/** A server to measure. */
export interface Peer {
  readonly name: string;
  /** Name for display. */
  readonly title: string;
  /** The file that Node runs. */
  readonly file: string;
  readonly api: Api;
  readonly env?: Readonly<Record<string, string>>;
  /** The API that the noisy workload attacks; the workload skips a peer without it. */
  readonly attackApi?: ApiName;
}

const peerFile = (name: string) => join(import.meta.dirname, 'peers', name);

/** Names of the peers that ratios and thresholds refer to. */
export const stock = 'postgraphile-stock';
export const handWritten = 'express-four-trips';
export const handWrittenSameTokens = 'express-four-trips-tokens';
export const handWrittenOneTrip = 'express-one-trip';

export const hedgerow: Peer = {
  name: 'hedgerow',
  title: 'Hedgerow',
  file: join(root, 'server', 'main.ts'),
  api: hedgerowApi,
  attackApi: 'hedgerow',
};

export const baselineName = 'baseline';

/** Creates the peer for Hedgerow of another checkout. */
export function baseline(directory: string): Peer {
  return {
    ...hedgerow,
    name: baselineName,
    title: `Hedgerow of ${basename(directory)}`,
    file: join(directory, 'server', 'main.ts'),
  };
}

export const peers: readonly Peer[] = [
  hedgerow,
  {
    name: stock,
    title: 'PostGraphile 5 as documented',
    file: peerFile('postgraphile-stock.js'),
    api: postgraphile5,
    attackApi: 'postgraphile5',
    env: { GRAPHILE_ENV: 'production' },
  },
  {
    name: 'postgraphile4',
    title: 'PostGraphile 4',
    file: peerFile('postgraphile4.js'),
    api: postgraphile4,
    env: { GRAPHILE_ENV: 'production' },
  },
  {
    name: 'yoga-drizzle',
    title: 'graphql-yoga + drizzle-orm',
    file: peerFile('yoga-drizzle.js'),
    api: yoga,
  },
  {
    name: handWritten,
    title: 'Express + pg by hand, 4 round trips',
    file: peerFile('express-four-trips.js'),
    api: rest,
  },
  {
    name: handWrittenSameTokens,
    title: '… with Hedgerow’s token handling',
    file: peerFile('express-four-trips.js'),
    api: rest,
    env: { TOKENS: 'remembered' },
  },
  {
    name: handWrittenOneTrip,
    title: 'Express + pg by hand, 1 round trip',
    file: peerFile('express-one-trip.js'),
    api: rest,
    attackApi: 'rest',
  },
];
