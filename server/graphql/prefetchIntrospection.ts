import { makeIntrospectionQuery } from 'postgraphile/graphile-build-pg/pg-introspection';
import type { Result, Statement } from '../../postgres/statement.ts';
import { Identity } from '../tenancy/identity.ts';
import type { IdentifiedClient, SqlRunner } from '../tenancy/tenantDatabase.ts';

/** Returns a client that reads the catalog in the tenant's role, without a user. It sees a tenant's grants, but no rows. */
export const catalogReader = (database: SqlRunner): IdentifiedClient => database.as(Identity.nobody);

/**
 * Sends PostGraphile's first catalog query early, so that Postgres works while PostGraphile loads.
 *
 * @returns a catalog reader that answers that query with the prefetched result, or with its error.
 */
export function prefetchIntrospection(database: SqlRunner): IdentifiedClient {
  const reader = catalogReader(database);
  const text = makeIntrospectionQuery();
  let answer: Promise<Result<unknown>> | undefined = reader.query({ text });
  answer.catch(() => {});
  return {
    ...reader,
    query: <Row>(statement: Statement) => {
      if (statement.text !== text || !answer) return reader.query<Row>(statement);
      const first = answer as Promise<Result<Row>>;
      answer = undefined;
      return first;
    },
  };
}
