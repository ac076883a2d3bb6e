import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Job, JobResult } from './job.ts';

/** A load generator in a process of its own, so that one client's work does not delay another's clock. */
export interface Client {
  /** Starts a job that goes on until `finish`. */
  start(job: Job): void;
  finish(): Promise<JobResult>;
  stop(): void;
}

export function startClient(): Client {
  const child = fork(new URL('./clientProcess.ts', import.meta.url), { serialization: 'advanced' });
  const ended = once(child, 'exit').then((): never => {
    throw new Error('a load generator of the noisy workload ended');
  });
  ended.catch(() => {});
  return {
    start: (job) => void child.send(job),
    async finish() {
      child.send('stop');
      const [result] = await Promise.race([once(child, 'message'), ended]);
      return result;
    },
    stop: () => void child.kill(),
  };
}
