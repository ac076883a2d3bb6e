import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { getThrough } from '../support/agent.ts';
import { startBalancer } from '../support/balancer.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';
import { requestTo } from '../support/requestTo.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(killServers);
afterAll(() => db.drop());

const start = (drainDelay: number) => spawnServer({ ...productionEnv(db), DRAIN_DELAY: String(drainDelay) });

test('no request of keep-alive clients fails while servers behind a balancer are replaced', async () => {
  const balancer = await startBalancer();
  // Far longer than the balancer needs: this machine may be busy.
  const delay = 10;
  const servers = [start(delay), start(delay)];
  await Promise.all(servers.map(async ({ url }) => balancer.add(await url)));
  const account = { email: 'rolling@example.com', username: 'rolling', password: 'a long password' };
  const token = (await requestTo(balancer.url).post('/auth/register').send(account).expect(201)).body.accessToken;
  const answers: (number | string)[] = [];
  let working = true;
  const work = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (working) {
      const answer = await getThrough(agent, `${balancer.url}/auth/me`, { Authorization: `Bearer ${token}` });
      answers.push(answer.statusCode ?? 0);
      // Now and then a connection has a pause, and is used again.
      await sleep(Math.random() * 50);
    }
    agent.destroy();
  };
  const clients = Promise.all(Array.from({ length: 4 }, work));
  for (const old of servers) {
    const next = start(delay);
    await balancer.add(await next.url);
    expect(await old.stop('SIGTERM')).toBe(0);
    const before = answers.length;
    while (answers.length < before + 20) await sleep(10);
  }
  working = false;
  await clients;
  await balancer.close();
  expect(balancer.failures).toEqual([]);
  expect(answers.length).toBeGreaterThan(100);
  expect(answers.filter((status) => status !== 200)).toEqual([]);
}, 180_000);
