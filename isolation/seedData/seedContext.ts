import type pg from 'pg';
import type { Catalog } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import type { Ownership } from '../ownership.ts';
import type { Row, SeededTenant } from './seedData.ts';

/**
 * The state of one seeding run. Each generated row increments `count`, which makes the next row's values differ. `rows`
 * holds the rows that were last read from the database. `deferredReferences` fills when a row refers to one that does
 * not exist yet, and shrinks when that row is inserted.
 */
export interface SeedContext {
  readonly client: pg.ClientBase;
  readonly catalog: Catalog;
  readonly owners: ReadonlyMap<number, Ownership>;
  readonly seed: number;
  /** By the table's oid, then by the owner's id; null for rows without an owner. */
  readonly rows: Map<number, Map<string | null, Row[]>>;
  /** Keys of missing rows that a deferrable constraint allows others to refer to, by `oid owner`. */
  readonly deferredReferences: Map<string, Row[]>;
  count: number;
}

/** Sets the transaction's identity to a tenant; null sets it to no tenant. */
export async function actFor({ client, catalog }: SeedContext, tenant: SeededTenant | null): Promise<void> {
  await client.query(setIdentity(catalog, tenant?.id ?? '') as string);
}
