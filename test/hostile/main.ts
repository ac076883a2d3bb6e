import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { randomFrom } from '../leak/random.ts';
import { openTestCluster } from '../support/cluster.ts';
import { signUp, startTestServer } from '../support/server.ts';
import { hostileBodies } from './documents.ts';
import { reportFloods } from './reportFloods.ts';
import { sendAll } from './run.ts';

// Usage: npm run test:hostile -- [--requests N] [--seed N]
//        npm run test:hostile -- --floods [--count N] [--heap MB] [--server DIRECTORY]
// Reports the effects of hostile documents, or of floods, on the server's heap and event loop. Exit code 1: an answer
// was wrong.
const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { requests: text, seed: text, floods: { type: 'boolean' }, count: text, heap: text, server: text },
});
const requests = Number(values.requests ?? 1000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));

const directory = await mkdtemp(join(tmpdir(), 'hedgerow-hostile-'));
const { close, ...cluster } = await openTestCluster(directory);
process.env.TEST_CLUSTER = JSON.stringify(cluster);
try {
  process.exitCode = (await (values.floods ? runFloods() : runDocuments())) ? 0 : 1;
} finally {
  await close();
  await rm(directory, { recursive: true, force: true });
}

function runFloods(): Promise<boolean> {
  const { count = '1000', heap = '512', server } = values;
  return reportFloods({ count: Number(count), heap: Number(heap), directory: server && resolve(server) });
}

async function runDocuments(): Promise<boolean> {
  const server = await startTestServer({ production: true });
  const listening = createServer(server.app).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  try {
    const { token } = await signUp(server.app, 'ada');
    const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/graphql`;
    const send = (count: number, from: number) =>
      sendAll({ url, token, database: server.database }, hostileBodies(randomFrom(from), count));
    await send(200, seed + 1);
    const { complaints: problems, answers, heapGrowth, eventLoopDelay, slowest } = await send(requests, seed);
    console.log(`${requests} hostile documents, seed ${seed}`);
    console.log(`heap after collection: ${(heapGrowth / 1e6).toFixed(1)} MB more than before`);
    console.log(`event loop: blocked for at most ${eventLoopDelay} ms`);
    console.log(`slowest, ms: ${slowest.map(([kind, milliseconds]) => `${kind} ${milliseconds}`).join(', ')}`);
    console.log(`answers: ${JSON.stringify(answers)}`);
    for (const problem of problems) console.log(problem);
    return problems.length === 0;
  } finally {
    listening.close();
    listening.closeAllConnections();
    await server.close();
  }
}
