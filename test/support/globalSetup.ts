import { openTestCluster, type TestCluster } from './cluster.ts';
import { startPgBouncer } from './pgbouncer.ts';

declare global {
  var closeTestCluster: () => Promise<void>;
}

/** With TEST_POOLER=pgbouncer the servers under test reach Postgres through it, in transaction mode. */
export default async function setup(): Promise<void> {
  // As the server runs. Set here because jest loads Grafast, which reads it once, before server/graphql can set it.
  process.env.GRAPHILE_ENV = 'production';
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
