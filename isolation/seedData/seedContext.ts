import type pg from 'pg';
import type { Catalog } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import type { DeclaredGroup, Ownership } from '../ownership.ts';
import type { Sharing } from '../sharing.ts';
import type { Row, SeededTenant } from './seedData.ts';

/**
 * The state of one seeding run:
 *
 * - `count` increases with each generated row, so that the values of rows differ.
 * - `rows` holds the rows that were last read from the database.
 * - `deferredReferences` gains an entry when a row refers to a row that does not exist yet. It loses the entry when that
 *   row is inserted.
 */
export interface SeedContext {
  readonly client: pg.ClientBase;
  readonly catalog: Catalog;
  readonly owners: ReadonlyMap<number, Ownership>;
  readonly groups: readonly DeclaredGroup[];
  readonly sharing: Sharing;
  readonly seed: number;
  /** By the table's oid, then by the owner's id; null for rows without an owner. */
  readonly rows: Map<number, Map<string | null, Row[]>>;
  /** Keys of missing rows that a deferrable constraint allows others to refer to, by `oid owner`. */
  readonly deferredReferences: Map<string, Row[]>;
  count: number;
  /** The user in new rows of declared members, after the tenant has become a member of its group. */
  newMember?: string;
}

/** Sets the identity of the transaction. Null means no tenant. */
export async function actFor({ client, catalog }: SeedContext, tenant: SeededTenant | null): Promise<void> {
  await client.query(setIdentity(catalog, tenant?.id ?? '') as string);
}
