import pino from 'pino';
import { isUnavailable } from '../../../postgres/connectionErrors.ts';
import { createGraphQL } from '../../../server/graphql/api.ts';
import { prefetchIntrospection } from '../../../server/graphql/prefetchIntrospection.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { openConnections } from '../../support/openDatabase.ts';

const log = pino({ level: 'silent' });

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

test('a prefetched query is not sent again until the schema is rebuilt', async () => {
  const database = openConnections(db);
  const parts = { database, listenUrl: db.listenUrl, log, production: true };
  const { transactions } = database.counts;
  await (await createGraphQL(parts)).close();
  const alone = transactions.committed;

  const api = await createGraphQL({ ...parts, catalog: prefetchIntrospection(database) });
  expect(transactions.committed).toBe(2 * alone);
  expect(api.schema.getType('Todo')).toBeDefined();

  await db.asAdmin('create table app_public.notes (n int primary key)');
  await db.asAdmin('grant select on app_public.notes to hedgerow_tenant');
  await api.reload();
  expect(transactions.committed).toBe(3 * alone);
  await api.close();
  await database.close();
});

test('building the API fails with the error of the prefetch if the database is unavailable', async () => {
  const database = openConnections({ serverUrl: 'postgres://nobody:x@127.0.0.1:1/none', preparedStatements: true });
  const catalog = prefetchIntrospection(database);
  const listenUrl = 'postgres://nobody:x@127.0.0.1:1/none';
  const error = await createGraphQL({ database, catalog, listenUrl, log, production: true }).catch((error) => error);
  expect(isUnavailable(error)).toBe(true);
  await database.close();
});
