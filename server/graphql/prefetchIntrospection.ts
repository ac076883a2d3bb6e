import { makeIntrospectionQuery } from 'postgraphile/graphile-build-pg/pg-introspection';
import type { Result, Statement } from '../../postgres/statement.ts';
import { Identity } from '../tenancy/identity.ts';
import type { Database, IdentifiedClient } from '../tenancy/tenantDatabase.ts';

/** Anyone who reads the API's schema from the catalog: nobody, so that it shows what tenants are granted, and no rows. */
export const catalogReader = (database: Database): IdentifiedClient => database.as(Identity.nobody);

/**
 * Asks the catalog what PostGraphile will ask it first, so that Postgres is at work while PostGraphile is still being
 * loaded: both take long.
 *
 * @returns who reads the catalog, and has that answer already. What goes wrong is said when it is asked for.
 */
export function prefetchIntrospection(database: Database): IdentifiedClient {
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
