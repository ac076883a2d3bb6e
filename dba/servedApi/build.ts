import '../../server/graphql/grafastEnvironment.ts';
import type pg from 'pg';
import { pino } from 'pino';
import { makeSchema } from 'postgraphile';
import { assertValidSchema, type GraphQLSchema } from 'postgraphile/graphql';
import type { Api, Build } from '../../lint/api.ts';
import type { Statement } from '../../postgres/statement.ts';
import { preset } from '../../server/graphql/preset.ts';
import type { IdentifiedClient, SqlRunner } from '../../server/tenancy/tenantDatabase.ts';
import { describeFailure } from './failure.ts';
import { findUnserved } from './unserved.ts';

/**
 * Builds the API as the server does, with the grants of tenants. It reads only the catalog.
 *
 * @param client inside a transaction.
 * @returns the failure if the API cannot be built; otherwise the granted objects that it leaves out.
 */
export async function buildApi(client: pg.ClientBase): Promise<Api> {
  await client.query('savepoint api');
  try {
    const { schema, build } = await makeApi(client);
    return { failure: undefined, unserved: await findUnserved(client, schema, build) };
  } catch (error) {
    await client.query('rollback to savepoint api');
    return { failure: await describeFailure(client, error as Error), unserved: [] };
  } finally {
    await client.query('release savepoint api');
  }
}

async function makeApi(client: pg.ClientBase): Promise<{ schema: GraphQLSchema; build: Build }> {
  const reader = catalogReader(client);
  const database = { as: () => reader, inspect: reader.query } satisfies SqlRunner;
  const settings = preset({ database, catalog: reader, log: pino({ level: 'silent' }), production: false });
  let build: Build | undefined;
  const keepBuild: GraphileConfig.Plugin = {
    name: 'KeepBuildPlugin',
    version: '1.0.0',
    schema: {
      hooks: {
        finalize(schema, own) {
          build = own;
          return schema;
        },
      },
    },
  };
  const { schema } = await makeSchema({ extends: [settings], plugins: [keepBuild] });
  assertValidSchema(schema);
  return { schema, build: build as Build };
}

/** Reads the catalog and reports hedgerow_tenant as the current user, whose grants decide what the API contains. */
function catalogReader(client: pg.ClientBase): IdentifiedClient {
  const query = async ({ text, values = [] }: Statement) => {
    const { rows, rowCount } = await client.query(text, [...values]);
    const asTenant = rows.map((row) =>
      typeof row.introspection === 'string'
        ? {
            ...row,
            introspection: row.introspection.replace(/"current_user" : "[^"]*"/, '"current_user" : "hedgerow_tenant"'),
          }
        : row,
    );
    return { rows: asTenant, rowCount };
  };
  return {
    query,
    transaction: (work: (transaction: object) => unknown) => work({ query }),
  } as unknown as IdentifiedClient;
}
