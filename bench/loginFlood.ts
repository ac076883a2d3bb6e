import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, type Load, percentile } from './load.ts';
import type { Credentials, LoginClient } from './loginClient.ts';
import { type Spread, spread } from './statistics.ts';

/** Throughput and latency of the API, with and without a flood of logins. Latencies are in milliseconds. */
export interface FloodCost {
  readonly alone: Rates;
  readonly flooded: Rates;
  /** Flooded to alone, round by round. */
  readonly ratio: Rates;
  /** Number of logins by HTTP status, in all rounds. */
  readonly logins: Readonly<Record<string, number>>;
  readonly loginsPerSecond: Spread;
}

interface Rates {
  readonly perSecond: Spread;
  readonly p50: Spread;
  readonly p99: Spread;
}

type Turn = Record<keyof Rates, number>;

/** Milliseconds before a client retries after a 503; less than any Retry-After of the server. */
const retryDelay = 1000;

/**
 * Runs `job` in turns alone and during logins with `credentials` on `connections` other connections. Clients pause
 * after a 503; otherwise this would measure a flood of HTTP requests and not the cost of passwords.
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
    // The `finally` block below reports an error, after the turn.
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
