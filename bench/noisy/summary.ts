import { type Spread, spread } from '../statistics.ts';
import type { AttackName } from './attacks.ts';
import type { NoisySample, NoisySeries } from './measureNoisy.ts';

/** One row of the table: a candidate under one attack, over all rounds. */
export interface NoisyRow {
  readonly attack: AttackName;
  readonly candidate: string;
  readonly title: string;
  readonly error?: string;
  /** Medians, in milliseconds. */
  readonly alone: { readonly p50: number; readonly p99: number };
  readonly beside: { readonly p50: number; readonly p99: number };
  /** Ratio of the times during the flood to the times alone, within each round. */
  readonly p50: Spread;
  readonly p99: Spread;
  /** Errors of the bystander, by kind. */
  readonly errors: Readonly<Record<string, number>>;
  readonly flood: Readonly<Record<string, number>>;
  /** The size of the flood's requests. */
  readonly size: number;
  readonly peakMemory: number;
  readonly ended: boolean;
}

export function toNoisyRows(all: readonly NoisySeries[]): NoisyRow[] {
  return all.map(({ samples, ...series }) => {
    const median = (of: (sample: NoisySample) => number) => spread(samples.map(of)).median;
    return {
      ...series,
      alone: { p50: median(({ alone }) => alone.p50), p99: median(({ alone }) => alone.p99) },
      beside: { p50: median(({ beside }) => beside.p50), p99: median(({ beside }) => beside.p99) },
      p50: spread(samples.map(({ alone, beside }) => beside.p50 / alone.p50)),
      p99: spread(samples.map(({ alone, beside }) => beside.p99 / alone.p99)),
      errors: sum(samples.map(({ beside }) => beside.errors)),
      flood: sum(samples.map(({ flood }) => flood.answers)),
      size: Math.max(0, ...samples.map(({ flood }) => flood.size)),
      peakMemory: Math.max(0, ...samples.map(({ peakMemory }) => peakMemory)),
      ended: samples.some(({ ended }) => ended),
    };
  });
}

function sum(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const counts of all) {
    for (const [kind, count] of Object.entries(counts)) total[kind] = (total[kind] ?? 0) + count;
  }
  return total;
}
