import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Job, JobResult } from './job.ts';

/** A load generator in its own process, so that the work of one client does not distort the times of another. */
export interface Client {
  /** Starts a job, which runs until `finish`. */
  start(job: Job): void;
  finish(): Promise<JobResult>;
  stop(): void;
}

export function startClient(): Client {
  const child = fork(new URL('./clientProcess.ts', import.meta.url), { serialization: 'advanced' });
  const ended = once(child, 'exit').then((): never => {
    throw new Error('A load generator of the noisy workload has ended.');
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
