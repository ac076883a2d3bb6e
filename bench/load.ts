import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Requests, over and over in this order, each on the first connection that is free. */
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
  /** The first thing that went wrong, and ended the job. */
  readonly error?: string;
}

/** The load generator, in a process of its own. */
export interface Load {
  run(job: Job): Promise<JobResult>;
  stop(): void;
}

/**
 * Starts the load generator: a minimal HTTP/1.1 client on keep-alive connections. Everything shares the machine's cores
 * with it, so it does no more than to see where an answer ends, that its status is 2xx and that it tells no errors.
 */
export function startLoad(): Load {
  const child = fork(new URL('./loadProcess.ts', import.meta.url), { serialization: 'advanced' });
  const ended = once(child, 'exit').then((): never => {
    throw new Error('the load generator ended');
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

/** The value below which `share` of all latencies lie. */
export function percentile(latencies: Float64Array, share: number): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
}
