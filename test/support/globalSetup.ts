import { openTestCluster } from './cluster.ts';

declare global {
  var testCluster: Awaited<ReturnType<typeof openTestCluster>> | undefined;
}

export default async function setup(): Promise<void> {
  globalThis.testCluster = await openTestCluster();
  const { serverUrl, ownerUrl, adminUrl } = globalThis.testCluster;
  // The workers are processes of their own; they get the connections by their environment.
  process.env.TEST_CLUSTER = JSON.stringify({ serverUrl, ownerUrl, adminUrl });
}
