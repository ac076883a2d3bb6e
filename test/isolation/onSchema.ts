import pg from 'pg';
import type { Attempt } from '../../isolation/attempt.ts';
import { type Catalog, readCatalog } from '../../isolation/catalog.ts';
import { hedgerowScope } from '../../isolation/hedgerow/scope.ts';
import { createSeedData } from '../../isolation/seedData/createSeedData.ts';
import type { SeedData } from '../../isolation/seedData/seedData.ts';
import type { TestDatabase } from '../support/database.ts';

export const roles = { login: 'hedgerow_authenticator', owner: 'hedgerow_owner' };

/** The objects of a database before any were added. No addition is committed, so they stay the same. */
const knownNames = new WeakMap<TestDatabase, ReadonlySet<string>>();

/** Hedgerow's schema with added objects and seed data, in a transaction that is never committed. */
export interface SeededSchema {
  readonly client: pg.Client;
  readonly catalog: Catalog;
  readonly seedData: SeedData;
  /** Whether a table, view or function was added. */
  readonly isAdded: (name: string) => boolean;
}

export async function onSchema<Result>(
  db: TestDatabase,
  sql: string,
  use: (schema: SeededSchema) => Promise<Result>,
  fixtures?: string,
): Promise<Result> {
  const client = new pg.Client({ connectionString: db.adminUrl });
  await client.connect();
  try {
    await client.query('begin; set local search_path = pg_catalog');
    const known = knownNames.get(db) ?? namesOf(await readCatalog(client, hedgerowScope));
    knownNames.set(db, known);
    await client.query('set local role hedgerow_owner');
    await client.query(sql);
    await client.query('reset role');
    const catalog = await readCatalog(client, hedgerowScope);
    const seedData = await createSeedData(client, catalog, { seed: 1, ...(fixtures && { fixtures }) });
    return await use({ client, catalog, seedData, isAdded: (name) => !known.has(name) });
  } finally {
    await client.end();
  }
}

/** Collects the leaks, up to the first for which `until` is true. */
export async function leaksFrom(
  attempts: AsyncIterable<Attempt>,
  until: (leak: Attempt) => boolean = () => false,
): Promise<Attempt[]> {
  const leaks: Attempt[] = [];
  for await (const attempt of attempts) {
    if (attempt.outcome !== 'leaked') continue;
    leaks.push(attempt);
    if (until(attempt)) break;
  }
  return leaks;
}

const namesOf = ({ tables, views, routines }: Catalog) =>
  new Set([...tables, ...views, ...routines].map(({ name }) => name));
