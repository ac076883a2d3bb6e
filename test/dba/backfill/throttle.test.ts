import { setTimeout as sleep } from 'node:timers/promises';
import { createThrottle } from '../../../dba/backfill/throttle.ts';
import { openRetryingConnection, type RetryingConnection } from '../../../dba/online/retryingConnection.ts';
import { type Replication, startReplication } from '../../support/replication.ts';

let replication: Replication;
let monitor: RetryingConnection;
beforeAll(async () => {
  replication = await startReplication();
  monitor = openRetryingConnection(
    replication.primaryUrl,
    { lockTimeout: 1000, attempts: 3 },
    async () => {},
    () => {},
  );
});
afterAll(async () => {
  await monitor.close();
  await replication.remove();
});

test('a backfill waits for a lagging replica if its role sees the lag', async () => {
  const lines: string[] = [];
  const throttle = createThrottle(monitor, { pause: 0, maxActive: 1000, maxLag: 0 }, (line) => lines.push(line));
  await replication.caughtUp();
  await replication.pause();
  await replication.onPrimary('create table app_private.much as select i from generate_series(1, 10000) i');
  const go = new AbortController().signal;
  await throttle(0, go);
  expect(lines).toEqual([expect.stringContaining('grant pg_monitor')]);

  await replication.onPrimary('grant pg_monitor to hedgerow_authenticator with inherit true');
  let waiting = true;
  const waited = throttle(0, go).then(() => {
    waiting = false;
  });
  while (lines.length < 2) await sleep(20);
  expect(lines[1]).toMatch(/^Waiting: a replica is \d+\.\d MB behind/);
  expect(waiting).toBe(true);
  await replication.resume();
  await waited;
});

test('a backfill waits for open transactions of others until it is stopped', async () => {
  const lines: string[] = [];
  const throttle = createThrottle(monitor, { pause: 0, maxActive: 0, maxLag: 1000 }, (line) => lines.push(line));
  const sleeping = replication.onPrimary('select pg_sleep(100)').catch(() => {});
  while (!(await busy())) await sleep(20);
  const stop = new AbortController();
  const waited = throttle(0, stop.signal);
  while (lines.length === 0) await sleep(20);
  expect(lines[0]).toMatch(/other transactions are open/);
  stop.abort();
  await waited;
  await replication.onPrimary(
    "select pg_cancel_backend(pid) from pg_stat_activity where query like '%pg_sleep(100)' and pid <> pg_backend_pid()",
  );
  await sleeping;
});

async function busy(): Promise<boolean> {
  const { rowCount } = await replication.onPrimary(
    "select from pg_stat_activity where query = 'select pg_sleep(100)' and state = 'active'",
  );
  return rowCount === 1;
}
