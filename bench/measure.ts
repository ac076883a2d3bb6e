import type { Contender, Sample } from './contender.ts';
import type { BenchDatabase } from './database.ts';
import { tidy } from './fill.ts';
import type { Report } from './progress.ts';
import type { Tenant } from './tenants.ts';
import { type WorkloadName, workloads } from './workloads.ts';

/** What one contender showed on one workload: a sample for each round, or why it could not be measured. */
export interface Series {
  readonly workload: WorkloadName;
  readonly contender: string;
  readonly samples: readonly Sample[];
  readonly error?: string;
}

/** A database, and whose rows in it the load is about. */
export interface Place {
  readonly database: BenchDatabase;
  readonly tenants: readonly Tenant[];
}

/** Measures all contenders on one workload: in each round everybody has a turn, beginning with another one each time. */
export async function measure(
  workload: WorkloadName,
  contenders: readonly Contender[],
  rounds: number,
  places: readonly Place[],
  report: Report,
): Promise<Series[]> {
  const found = new Map(contenders.map((contender) => [contender, { samples: [] as Sample[], error: '' }]));
  const attempt = async (contender: Contender, what: string, work: () => Promise<Sample | undefined>) => {
    const series = found.get(contender);
    if (!series || series.error) return;
    report(`${workload}, ${what}: ${contender.title}`);
    try {
      const sample = await work();
      if (sample) series.samples.push(sample);
    } catch (error) {
      series.error = (error as Error).message;
    }
  };
  for (const contender of contenders)
    await attempt(contender, 'checking', async () => {
      await contender.prepare(workload);
      return undefined;
    });
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < contenders.length; index++) {
      const contender = contenders[(round + index) % contenders.length] as Contender;
      await attempt(contender, `round ${round + 1} of ${rounds}`, () => contender.turn(workload));
    }
  }
  if (workloads[workload].writes) {
    for (const { database, tenants } of places) {
      report(`${workload}: tidying`);
      await tidy(
        database.admin,
        tenants.map(({ userId }) => userId),
      );
    }
  }
  return [...found].map(([{ name }, { samples, error }]) => ({
    ...{ workload, contender: name },
    ...(error ? { samples: [], error } : { samples }),
  }));
}
