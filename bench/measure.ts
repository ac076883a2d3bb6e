import type { Candidate, Sample } from './candidate.ts';
import type { BenchDatabase } from './database.ts';
import { tidy } from './fill.ts';
import type { Report } from './progress.ts';
import type { Tenant } from './tenants.ts';
import { type WorkloadName, workloads } from './workloads.ts';

/** Samples of one candidate on one workload, one for each round, or the error that prevented them. */
export interface Series {
  readonly workload: WorkloadName;
  readonly candidate: string;
  readonly samples: readonly Sample[];
  readonly error?: string;
}

/** A database and the tenants of the load. */
export interface Dataset {
  readonly database: BenchDatabase;
  readonly tenants: readonly Tenant[];
}

/**
 * Measures all candidates on one workload. Each has one turn in each round, and each round starts with another
 * candidate.
 */
export async function measure(
  workload: WorkloadName,
  candidates: readonly Candidate[],
  rounds: number,
  datasets: readonly Dataset[],
  report: Report,
): Promise<Series[]> {
  const found = new Map(candidates.map((candidate) => [candidate, { samples: [] as Sample[], error: '' }]));
  const attempt = async (candidate: Candidate, what: string, work: () => Promise<Sample | undefined>) => {
    const series = found.get(candidate);
    if (!series || series.error) return;
    report(`${workload}, ${what}: ${candidate.title}`);
    try {
      const sample = await work();
      if (sample) series.samples.push(sample);
    } catch (error) {
      series.error = (error as Error).message;
    }
  };
  for (const candidate of candidates)
    await attempt(candidate, 'checking', async () => {
      await candidate.prepare(workload);
      return undefined;
    });
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[(round + index) % candidates.length] as Candidate;
      await attempt(candidate, `round ${round + 1} of ${rounds}`, () => candidate.turn(workload));
    }
  }
  if (workloads[workload].writes) {
    for (const { database, tenants } of datasets) {
      report(`${workload}: removing written rows`);
      await tidy(
        database.admin,
        tenants.map(({ userId }) => userId),
      );
    }
  }
  return [...found].map(([{ name }, { samples, error }]) => ({
    workload,
    candidate: name,
    ...(error ? { samples: [], error } : { samples }),
  }));
}
