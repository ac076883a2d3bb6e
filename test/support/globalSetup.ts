import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { openTestCluster, type TestCluster } from './cluster.ts';
import { startPgBouncer } from './pgbouncer.ts';

declare global {
  var closeTestCluster: () => Promise<void>;
}

/**
 * Starts the test cluster. With TEST_POOLER=pgbouncer, servers under test connect through PgBouncer in transaction
 * mode.
 */
export default async function setup(): Promise<void> {
  // The server runs in production mode. Set it here, because jest loads Grafast before server/graphql can, and Grafast
  // reads it once.
  process.env.GRAPHILE_ENV = 'production';
  // Most programs that the tests start spend their time on loading modules. The compile cache shortens that.
  process.env.NODE_COMPILE_CACHE = join(root, '.data', 'test', 'compiled');
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
