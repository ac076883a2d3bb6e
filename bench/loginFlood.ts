import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, type Load, percentile } from './load.ts';
import type { Credentials, LoginClient } from './loginClient.ts';
import { type Spread, spread } from './statistics.ts';

/** What the API does, with and without a flood of logins. Latencies in milliseconds. */
export interface FloodCost {
  readonly alone: Rates;
  readonly flooded: Rates;
  /** Flooded to alone, round by round. */
  readonly ratio: Rates;
  /** Logins by the status that they were answered, in all rounds. */
  readonly logins: Readonly<Record<string, number>>;
  readonly loginsPerSecond: Spread;
}

interface Rates {
  readonly perSecond: Spread;
  readonly p50: Spread;
  readonly p99: Spread;
}

type Turn = Record<keyof Rates, number>;

/** Milliseconds that anyone who was told to try again later waits: less than any 503 asks for. */
const retryDelay = 1000;

/**
 * Runs `job` in turns by itself and while `credentials` are tried over `connections` of their own, one login after the
 * other. Without a pause after a 503 this would measure what any flood of HTTP does, and not what passwords do.
 */
export async function measureFlood(
  load: Load,
  client: LoginClient,
  {
    job,
    rounds,
    connections,
    credentials,
  }: {
    job: Job;
    rounds: number;
    connections: number;
    credentials: readonly Credentials[];
  },
): Promise<FloodCost> {
  const turn = async (): Promise<Turn> => {
    const { latencies, seconds, error } = await load.run(job);
    if (error) throw new Error(error);
    const at = (share: number) => percentile(latencies, share);
    return { perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99) };
  };
  const logins: Record<string, number> = {};
  const loginsPerSecond: number[] = [];
  let next = 0;
  const flooded = async (): Promise<Turn> => {
    let flooding = true;
    let answered = 0;
    const one = async () => {
      while (flooding) {
        const { status } = await client.logIn(credentials[next++ % credentials.length] as Credentials);
        logins[status] = (logins[status] ?? 0) + 1;
        answered++;
        if (status === 503 && flooding) await sleep(retryDelay);
      }
    };
    const start = performance.now();
    const flood = Promise.all(Array.from({ length: connections }, one));
    // What goes wrong is told below, once the turn is over.
    flood.catch(() => {});
    try {
      return await turn();
    } finally {
      flooding = false;
      await flood;
      loginsPerSecond.push((answered * 1000) / (performance.now() - start));
    }
  };
  await turn();
  const turns: { alone: Turn; flooded: Turn }[] = [];
  for (let round = 0; round < rounds; round++) turns.push({ alone: await turn(), flooded: await flooded() });
  const rates = (of: (turn: (typeof turns)[number], rate: keyof Rates) => number): Rates => {
    const every = (rate: keyof Rates) => spread(turns.map((turn) => of(turn, rate)));
    return { perSecond: every('perSecond'), p50: every('p50'), p99: every('p99') };
  };
  return {
    alone: rates(({ alone }, rate) => alone[rate]),
    flooded: rates(({ flooded }, rate) => flooded[rate]),
    ratio: rates(({ alone, flooded }, rate) => flooded[rate] / alone[rate]),
    logins,
    loginsPerSecond: spread(loginsPerSecond),
  };
}
