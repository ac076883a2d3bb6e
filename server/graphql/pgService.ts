import type {
  MakePgServiceOptions,
  PgClient,
  PgClientQuery,
  PgClientResult,
  WithPgClient,
} from 'postgraphile/@dataplan/pg';
import type { Result, Statement } from '../../postgres/statement.ts';
import type { IdentifiedClient, Transaction } from '../tenancy/tenantDatabase.ts';
import { noteStatement, RowNotFoundError } from './errors.ts';
import type { TenantClient } from './mutationClient.ts';
import { StatementNames } from './statementNames.ts';

declare global {
  namespace GraphileConfig {
    interface PgAdaptors {
      hedgerow: { adaptorSettings: undefined; makePgServiceOptions: MakePgServiceOptions; client: PgClient };
    }
  }
}

/** Passes a tenant's client as PostGraphile's transaction settings, so that it reaches `withPgClient`. */
export function asPgSettings(client: TenantClient): Record<string, string | undefined> {
  return client as unknown as Record<string, string | undefined>;
}

/**
 * Creates the service through which PostGraphile uses the database. It replaces PostGraphile's adaptor for `pg`, which
 * accepts missing settings as no settings, sets parameters for the session, and returns connections to the pool in any
 * state.
 */
export function pgService(catalogReader: IdentifiedClient): GraphileConfig.PgServiceConfiguration<'hedgerow'> {
  const service: GraphileConfig.PgServiceConfiguration<'hedgerow'> = {
    name: 'main',
    schemas: ['app_public'],
    withPgClientKey: 'withPgClient' as never,
    pgSettingsKey: 'pgSettings' as never,
    pgSettingsForIntrospection: asPgSettings(catalogReader),
    adaptor: { createWithPgClient: () => withPgClient, makePgService: () => service },
    adaptorSettings: undefined,
  };
  return service;
}

const withPgClient = (async (settings, callback) => {
  const identified = settings as unknown as TenantClient | null;
  if (typeof identified?.transaction !== 'function') throw new Error('An Identity is required to run SQL.');
  // A single statement is an implicit transaction. PostGraphile calls withTransaction() if it needs more.
  const { organizationId } = identified;
  const client: PgClient = {
    query: (query) => run(query, (statement) => identified.query(statement), organizationId),
    withTransaction: (work) =>
      identified.transaction((transaction) => work(inside(transaction, organizationId) as never)),
  };
  return callback(client);
}) as WithPgClient;

function inside({ query }: Transaction, organizationId: string | undefined): PgClient {
  const client: PgClient = {
    query: (q) => run(q, (statement) => query(statement), organizationId),
    async withTransaction(work) {
      await query({ text: 'savepoint nested' });
      try {
        const result = await work(client as never);
        await query({ text: 'release savepoint nested' });
        return result;
      } catch (error) {
        await query({ text: 'rollback to savepoint nested' });
        throw error;
      }
    },
  };
  return client;
}

const names = new StatementNames();

async function run<TData>(
  { text, values, name = names.nameOf(text), arrayMode }: PgClientQuery,
  query: (statement: Statement) => Promise<Result<TData>>,
  organizationId: string | undefined,
): Promise<PgClientResult<TData>> {
  const statement = { text, name, ...(values && { values }), ...(arrayMode && { rowMode: 'array' as const }) };
  const result = await query(statement).catch((error) => {
    noteStatement(error, { text, values: values ?? [], organizationId });
    throw error;
  });
  // PostGraphile changes one row by key. If none changed, the row does not exist or belongs to another tenant.
  if (result.rowCount === 0 && /^(update|delete)\s/.test(text)) throw new RowNotFoundError();
  return result;
}
