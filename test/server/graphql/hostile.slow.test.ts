import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostileBodies } from '../../hostile/documents.ts';
import { sendAll } from '../../hostile/run.ts';
import { randomFrom } from '../../leak/random.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

// HOSTILE_SEED repeats the documents of a run that failed.
const seed = Number(process.env.HOSTILE_SEED ?? Math.floor(Math.random() * 1e9));
let server: TestServer;
let ada: Tenant;
beforeAll(async () => {
  server = await startTestServer({ production: true });
  ada = await signUp(server.app, 'ada');
});
afterAll(() => server.close());

test(`a thousand hostile documents are each answered with a code, and cost no more than they may (seed ${seed})`, async () => {
  const listening = createServer(server.app).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/graphql`;
  const send = (count: number) =>
    sendAll({ url, token: ada.token, database: server.database }, hostileBodies(randomFrom(seed), count));
  // At first the heap grows by compiled code and by cached documents.
  await send(200);
  const { complaints, heapGrowth, answers } = await send(1000);
  expect(complaints).toEqual([]);
  expect(Object.keys(answers).sort()).toEqual(['BAD_USER_INPUT', 'TOO_COMPLEX', 'data']);
  expect(heapGrowth).toBeLessThan(150_000_000);
  expect((await ada.graphql('{ todos { totalCount } }')).body.errors).toBeUndefined();
  listening.close();
  listening.closeAllConnections();
}, 120_000);
