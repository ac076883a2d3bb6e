import { Connection } from './connection.ts';
import type { Job, JobResult } from './load.ts';

/** Seconds to wait for the first connections and for the last answers before the job fails. */
const timeoutSeconds = 10;

function run({ port, requests, connections, seconds }: Job): Promise<JobResult> {
  const texts = requests.map((request) => Buffer.from(request));
  const latencies: number[] = [];
  return new Promise((resolve) => {
    let next = 0;
    let start = 0;
    let last = 0;
    let stopping = false;
    const all = new Set<Connection>();
    const open = new Set<Connection>();
    const finish = (error?: string) => {
      clearTimeout(timer);
      for (const connection of all) connection.close();
      const sorted = Float64Array.from(latencies).sort();
      resolve({ latencies: sorted, seconds: (last - start) / 1000, ...(error && { error }) });
    };
    const sendNext = (connection: Connection) => connection.send(texts[next++ % texts.length] as Buffer);
    const stop = () => {
      stopping = true;
      timer = setTimeout(finish, timeoutSeconds * 1000, `no answer within ${timeoutSeconds} s`);
    };
    let timer = setTimeout(finish, timeoutSeconds * 1000, `no connection within ${timeoutSeconds} s`);
    const events = {
      open(connection: Connection) {
        open.add(connection);
        if (open.size < connections) return;
        clearTimeout(timer);
        timer = setTimeout(stop, seconds * 1000);
        start = performance.now();
        open.forEach(sendNext);
      },
      answered(connection: Connection, milliseconds: number, fault: string | undefined) {
        last = performance.now();
        latencies.push(milliseconds);
        if (fault) finish(fault);
        else if (!stopping) sendNext(connection);
        else if (open.delete(connection) && open.size === 0) finish();
      },
      failed: finish,
    };
    for (let index = 0; index < connections; index++) all.add(new Connection(port, events));
  });
}

process.on('message', async (job: Job) => {
  process.send?.(await run(job));
});
