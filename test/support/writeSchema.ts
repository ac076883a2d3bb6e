import { writeFile } from 'node:fs/promises';
import { openTestCluster } from './cluster.ts';
import { printApi } from './printApi.ts';
import { startTestServer } from './server.ts';

// `npm run schema`: writes schema.graphql from a database with the committed migrations.
const cluster = await openTestCluster();
process.env.TEST_CLUSTER = JSON.stringify(cluster);
const server = await startTestServer({ template: 'bare' });
await writeFile(new URL('../../schema.graphql', import.meta.url), printApi(server));
await server.close();
await cluster.close();
