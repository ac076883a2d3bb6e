import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchContext, Candidate, Sample } from './candidate.ts';
import { cpuTimes } from './cpu.ts';
import type { BenchDatabase } from './database.ts';
import { pgbenchScript } from './pgbenchScript.ts';
import type { WorkloadName } from './workloads.ts';

const run = promisify(execFile);

export const pgbenchNames = ['pgbench', 'pgbench-one-trip'] as const;
export type PgbenchName = (typeof pgbenchNames)[number];

/** Finds the pgbench of the newest Postgres on this machine; undefined if there is none. */
export async function findPgbench(): Promise<string | undefined> {
  const folder = '/usr/lib/postgresql';
  const versions = (await readdir(folder).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  for (const file of [...versions.map((version) => join(folder, version, 'bin', 'pgbench')), 'pgbench']) {
    const works = await run(file, ['--version']).catch(() => undefined);
    if (works) return file;
  }
  return undefined;
}

/**
 * Runs the same statements without a server. The result is the limit that Postgres itself sets. `pgbench` uses four
 * round trips, `pgbench-one-trip` one implicit transaction.
 */
export async function startPgbench(
  program: string,
  name: PgbenchName,
  { cluster, connections, seconds }: BenchContext,
  database: BenchDatabase,
): Promise<Candidate> {
  const folder = await mkdtemp(join(tmpdir(), 'hedgerow-pgbench-'));
  const { hostname, port, username, password, pathname } = new URL(database.serverUrl);
  const env = { ...process.env, PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: password };

  const turn = async (workload: WorkloadName, time: number): Promise<Sample> => {
    const file = join(folder, `${workload}.sql`);
    await writeFile(file, pgbenchScript(workload, database.rows, name === 'pgbench-one-trip'));
    const args = [
      '--no-vacuum',
      '--protocol=prepared',
      `--file=${file}`,
      `--time=${time}`,
      `--client=${connections}`,
      `--jobs=${Math.min(2, connections)}`,
      '--define=prepared=0',
    ];
    const before = cpuTimes(undefined, cluster.postmaster);
    const { stdout } = await run(program, [...args, pathname.slice(1)], { env, timeout: (time + 30) * 1000 }).catch(
      ({ stderr }) => {
        throw new Error(String(stderr).trim().slice(0, 500));
      },
    );
    const after = cpuTimes(undefined, cluster.postmaster);
    const found = (what: RegExp) => Number(what.exec(stdout)?.[1]);
    const [perSecond, latency] = [found(/tps = ([\d.]+)/), found(/latency average = ([\d.]+)/)];
    if (!(perSecond > 0) || found(/number of failed transactions: (\d+)/) > 0) throw new Error(stdout);
    const count = found(/transactions actually processed: (\d+)/);
    return {
      perSecond,
      p50: latency,
      p99: Number.NaN,
      node: Number.NaN,
      postgres: (after.postgres - before.postgres) / count,
    };
  };

  return {
    name,
    title: name === 'pgbench' ? 'Postgres alone (pgbench), 4 round trips' : 'Postgres alone (pgbench), 1 round trip',
    rows: database.rows,
    prepare: async (workload) => void (await turn(workload, 1)),
    turn: (workload) => turn(workload, seconds),
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}
