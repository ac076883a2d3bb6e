import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { openTestCluster, type TestCluster } from './cluster.ts';
import { startPgBouncer } from './pgbouncer.ts';

declare global {
  var closeTestCluster: () => Promise<void>;
}

/** With TEST_POOLER=pgbouncer the servers under test reach Postgres through it, in transaction mode. */
export default async function setup(): Promise<void> {
  // As the server runs. Set here because jest loads Grafast, which reads it once, before server/graphql can set it.
  process.env.GRAPHILE_ENV = 'production';
  // Node takes longer to read what a program imports than most of those that tests start take to run.
  process.env.NODE_COMPILE_CACHE = join(root, '.data', 'test', 'compiled');
  await rm(process.env.NODE_COMPILE_CACHE, { recursive: true, force: true });
  const { close, ...cluster } = await openTestCluster();
  let shared: TestCluster = cluster;
  let stopPooler = async () => {};
  if (process.env.TEST_POOLER === 'pgbouncer') {
    const pooler = await startPgBouncer(cluster.serverUrl);
    shared = { ...cluster, serverUrl: pooler.url, preparedStatements: false };
    stopPooler = pooler.stop;
  }
  process.env.TEST_CLUSTER = JSON.stringify(shared);
  globalThis.closeTestCluster = async () => {
    await stopPooler();
    await close();
  };
}
