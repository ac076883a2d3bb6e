import type { Sample } from './candidate.ts';
import type { Series } from './measure.ts';
import { handWritten, stock } from './peers.ts';

/** Median and range of some values. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One row of the results table. Times are in milliseconds; NaN if not measured. */
export interface Row {
  readonly workload: Series['workload'];
  readonly candidate: string;
  readonly error?: string;
  readonly perSecond: Spread;
  /** Requests per second, as a ratio to another candidate in the same round. */
  readonly toStock: Spread;
  readonly toHandWritten: Spread;
  readonly p50: number;
  readonly p99: number;
  readonly node: number;
  readonly postgres: number;
}

/** Computes the median and the range, without NaN values. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** Computes the ratios of `a` to `b` within each round, because other work on the machine slows both. */
export function ratio(a: Series | undefined, b: Series | undefined, of: keyof Sample = 'perSecond'): Spread {
  return spread(a?.samples.map((sample, round) => sample[of] / (b?.samples[round]?.[of] ?? Number.NaN)) ?? []);
}

export function find(all: readonly Series[], workload: string, candidate: string): Series | undefined {
  return all.find((series) => series.workload === workload && series.candidate === candidate);
}

export function toRows(all: readonly Series[]): Row[] {
  return all.map((series) => {
    const middle = (of: keyof Sample) => spread(series.samples.map((sample) => sample[of])).median;
    return {
      workload: series.workload,
      candidate: series.candidate,
      ...(series.error !== undefined && { error: series.error }),
      perSecond: spread(series.samples.map(({ perSecond }) => perSecond)),
      toStock: ratio(series, find(all, series.workload, stock)),
      toHandWritten: ratio(series, find(all, series.workload, handWritten)),
      p50: middle('p50'),
      p99: middle('p99'),
      node: middle('node'),
      postgres: middle('postgres'),
    };
  });
}
