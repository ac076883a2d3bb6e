import { writeFile } from 'node:fs/promises';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';
import { openWorkbench, type Workbench } from '../support/verbs.ts';

// The checkout of the workbench is the next version: it has one migration more than this one.
let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterEach(killServers);
afterAll(() => bench.remove());

const healthOf = async (url: string) => {
  const response = await fetch(`${url}/health/db`);
  return { status: response.status, body: await response.json() };
};

test('servers of the old version serve and restart after the next version has migrated the database', async () => {
  const oldVersion = () => spawnServer(productionEnv(bench.database));
  const running = oldVersion();
  const nothing = { status: 200, body: { status: 'ok', reasons: [], advice: [] } };
  expect(await healthOf(await running.url)).toEqual(nothing);

  await writeFile(bench.file('current.sql'), 'alter table app_public.todos add column if not exists note text;\n');
  expect(await bench.db('commit', '--message', 'notes')).toMatchObject({ code: 0 });
  expect(await bench.db('migrate')).toMatchObject({ code: 0 });

  const advice = [expect.stringMatching(/^migration \d{6}\S*\.sql is newer than this server: deploy the version/)];
  const served = { status: 200, body: { status: 'ok', reasons: [], advice } };
  expect(await healthOf(await running.url)).toEqual(served);
  const restarted = oldVersion();
  expect(await healthOf(await restarted.url)).toEqual(served);
  expect(restarted.output()).toMatch(/"level":40.*is newer than this server/);

  const env = { ...productionEnv(bench.database), PORT: '0' };
  const next = bench.checkout.start('server/main.ts', [], env);
  try {
    const { url } = JSON.parse(await next.line(/"url":"/));
    expect(await healthOf(url)).toEqual(nothing);
  } finally {
    await next.stop();
  }
}, 120_000);
