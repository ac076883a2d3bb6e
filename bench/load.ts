import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Requests that the generator repeats in this order, each on the first free connection. */
export interface Job {
  readonly port: number;
  readonly requests: readonly string[];
  readonly connections: number;
  readonly seconds: number;
}

export interface JobResult {
  /** Milliseconds from the request to the end of its answer, ascending. */
  readonly latencies: Float64Array;
  readonly seconds: number;
  /** The error that ended the job. */
  readonly error?: string;
}

/** The load generator, in its own process. */
export interface Load {
  run(job: Job): Promise<JobResult>;
  stop(): void;
}

/**
 * Starts the load generator, a minimal HTTP/1.1 client on keep-alive connections. It shares the machine's cores with
 * the servers. So it only finds the end of an answer and checks that the status is 2xx and that there are no errors.
 */
export function startLoad(): Load {
  const child = fork(new URL('./loadProcess.ts', import.meta.url), { serialization: 'advanced' });
  const ended = once(child, 'exit').then((): never => {
    throw new Error('The load generator process has ended.');
  });
  ended.catch(() => {});
  return {
    async run(job) {
      child.send(job);
      const [result] = await Promise.race([once(child, 'message'), ended]);
      return result;
    },
    stop: () => void child.kill(),
  };
}

/** Returns the latency below which a share of all lie. @param latencies ascending. @param share from 0 to 1. */
export function percentile(latencies: Float64Array, share: number): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
}
