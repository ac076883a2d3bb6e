import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrate } from 'graphile-migrate';
import type { Logger } from 'pino';
import { type GraphQLSchema, parse, validate } from 'postgraphile/graphql';
import { migrateSettings } from '../dba/migrateSettings.ts';
import { root } from '../dba/root.ts';
import { type EmbeddedTarget, openEmbedded } from '../dba/target.ts';
import { createDemoTenants, demoTenants } from './auth/accounts/demoTenants.ts';
import type { Config } from './config.ts';
import type { Database } from './database/database.ts';
import type { GraphQLApi } from './graphql/api.ts';
import { watchSchema } from './schemaChanges.ts';

/** Runs a step of the start and says, once it is done, how long it took. */
export type Step = <T>(done: string, work: () => Promise<T>) => Promise<T>;

/** What stands in, outside production, for what the environment does not give. */
export interface Development {
  readonly databaseUrl: string;
  /** Whether that is the embedded Postgres, and not one that its user operates. */
  readonly embedded: boolean;
  readonly jwtSecret: string;
  /** Where mail is written to while there is no server for it. */
  readonly mailDirectory: string;
  /** Adds the demo tenants to an embedded database, and prints what to try. From then on the API follows the schema. */
  ready(parts: { database: Database; graphql: GraphQLApi; log: Logger; url: string }): Promise<void>;
  close(): Promise<void>;
}

export async function prepare(config: Config, step: Step): Promise<Development> {
  const embedded = config.databaseUrl === undefined ? await startEmbedded(step) : undefined;
  const databaseUrl = config.databaseUrl ?? (embedded?.serverUrl as string);
  // From before the API is built: what is applied during that is not in it.
  const changes = await watchSchema(config.listenUrl ?? databaseUrl);
  return {
    databaseUrl,
    embedded: embedded !== undefined,
    jwtSecret: await keptSecret(),
    mailDirectory: join(root, '.data', 'mail'),
    async ready({ database, graphql, log, url }) {
      changes.follow(() => reload(graphql, log));
      if (embedded) {
        const report = (sentence: string) => log.warn(sentence);
        await step('made two demo tenants', () => createDemoTenants(database, report));
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
    log.info('the schema changed: the API was built anew');
  } catch (err) {
    log.error({ err }, 'the schema changed, and no API can be built from it: the one before goes on');
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

/** A secret that survives a restart, so that tokens do too. */
async function keptSecret(): Promise<string> {
  const file = join(root, '.data', 'jwt-secret');
  await mkdir(join(root, '.data'), { recursive: true });
  await writeFile(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return readFile(file, 'utf8');
}

/** Queries to try, the first that the API answers: the example may have been removed. */
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
