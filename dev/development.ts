import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrate } from 'graphile-migrate';
import type { Logger } from 'pino';
import { type GraphQLSchema, parse, validate } from 'postgraphile/graphql';
import { root } from '../common/root.ts';
import { migrateSettings } from '../postgres/migrate/migrateSettings.ts';
import { type EmbeddedTarget, openEmbedded } from '../postgres/target/target.ts';
import type { Config } from '../server/config.ts';
import type { GraphQLApi } from '../server/graphql/api.ts';
import type { Development, Step } from '../server/run.ts';
import { createDemoTenants, demoTenants } from './demoTenants.ts';
import { watchSchema } from './schemaChanges.ts';

/** Prepares development. Without DATABASE_URL it starts an embedded Postgres with migrations and demo tenants. */
export async function prepare(config: Config, step: Step): Promise<Development> {
  const embedded = config.databaseUrl === undefined ? await startEmbedded(step) : undefined;
  const databaseUrl = config.databaseUrl ?? (embedded?.serverUrl as string);
  // Watch before the API is built, because migrations during the build are not part of that API.
  const changes = await watchSchema(config.listenUrl ?? databaseUrl);
  return {
    databaseUrl,
    embedded: embedded !== undefined,
    jwtSecret: await persistentSecret(),
    mailDirectory: join(root, '.data', 'mail'),
    async ready({ database, graphql, log, url }) {
      changes.follow(() => reload(graphql, log));
      if (embedded) {
        const report = (sentence: string) => log.warn(sentence);
        await step('created two demo tenants', () => createDemoTenants(database, report));
      }
      console.log(embedded ? invitation(url, graphql.schema) : `\n  GraphiQL  ${url}/\n  GraphQL   ${url}/graphql\n`);
    },
    close: async () => {
      await changes.close();
      await embedded?.close();
    },
  };
}

async function reload(graphql: GraphQLApi, log: Logger): Promise<void> {
  try {
    await graphql.reload();
    log.info('the schema changed: the API was built again');
  } catch (err) {
    log.error({ err }, 'the schema changed, and no API can be built from it: the previous API stays active');
  }
}

async function startEmbedded(step: Step): Promise<EmbeddedTarget> {
  const embedded = await step('started the embedded Postgres in .data/', () => openEmbedded());
  try {
    await step('applied the migrations', async () => migrate(await migrateSettings(embedded, () => {})));
    return embedded;
  } catch (error) {
    await embedded.close();
    throw error;
  }
}

/** Returns a secret that survives a restart, so that tokens stay valid. */
async function persistentSecret(): Promise<string> {
  const file = join(root, '.data', 'jwt-secret');
  await mkdir(join(root, '.data'), { recursive: true });
  await writeFile(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return readFile(file, 'utf8');
}

/** Example queries. The output shows the first one that the API can answer, because the example may have been removed. */
const firstQueries = [
  ['Sign in and read your todos:', '{ currentUser { username } todos { nodes { title priority } } }'],
  ['Sign in and ask who you are:', '{ currentUser { username } }'],
] as const;

function invitation(url: string, schema: GraphQLSchema): string {
  const [{ email, password }] = demoTenants;
  const isAnswered = (query: string) => validate(schema, parse(query)).length === 0;
  const [words, query] = firstQueries.find(([, query]) => isAnswered(query)) ?? firstQueries[1];
  return `
Hedgerow is ready.

  GraphiQL  ${url}/          GraphQL  ${url}/graphql
  Health    ${url}/health/db

  Tenants   ${demoTenants.map((tenant) => `${tenant.email} / ${tenant.password}`).join('\n            ')}

${words}

  TOKEN=$(curl -s ${url}/auth/login -H 'Content-Type: application/json' \\
    -d '{"email":"${email}","password":"${password}"}' | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')
  curl -s ${url}/graphql -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{"query":"${query}"}'

Stop with Ctrl-C; the data stays in .data/.
`;
}
