import type pg from 'pg';
import type { Catalog } from '../catalog.ts';
import type { Ownership } from '../owners.ts';
import type { Row } from './cast.ts';

/** What is known while rows are made. */
export interface Making {
  readonly client: pg.ClientBase;
  readonly catalog: Catalog;
  readonly owners: ReadonlyMap<number, Ownership>;
  readonly seed: number;
  readonly rows: Map<number, Map<string | null, Row[]>>;
  /** Keys of rows that others already refer to, by `oid owner`: constraints that are checked later allow that. */
  readonly promised: Map<string, Row[]>;
  count: number;
}
