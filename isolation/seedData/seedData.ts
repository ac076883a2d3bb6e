import type pg from 'pg';
import type { Catalog, Relation } from '../catalog.ts';
import type { DeclaredGroup, Ownership } from '../ownership.ts';
import type { Sharing } from '../sharing.ts';

/** A tenant. `id` identifies it in the owner columns and in the setting. */
export interface SeededTenant {
  readonly name: 'A' | 'B' | 'C';
  readonly id: string;
}

/** A row: the text of each value, by column name. */
export type Row = Readonly<Record<string, string | null>>;

/** A tenant's rows in a table. */
export interface Holding {
  readonly rows: readonly Row[];
  /** Rows that the tenant could insert: first one with all columns, then one with only the required columns. */
  readonly insertableRows: readonly Row[];
  /** Whether the insertable rows can replace the tenant's own rows only, because each tenant can have one row. */
  readonly replaces: boolean;
}

/** Rows and values generated for a table because conditions or functions mention its columns. */
export interface WitnessRows {
  /** The reason for each of A's witness rows, such as the policy that it satisfies. By the row's JSON. */
  readonly why: ReadonlyMap<string, string>;
  /** Rows that A and B could insert. */
  readonly insertableRows: Readonly<Record<'A' | 'B', readonly Row[]>>;
  /** Values that functions and triggers mention, by column. Attacks try them in updates. */
  readonly valueHints: ReadonlyMap<string, readonly (string | null)[]>;
}

/** The tenants and their rows. */
export interface SeedData {
  readonly seed: number;
  readonly a: SeededTenant;
  readonly b: SeededTenant;
  /** A tenant without rows, except for its own row in the table of tenants. */
  readonly c: SeededTenant;
  /** A valid id that no tenant has. */
  readonly nobody: string;
  readonly owners: ReadonlyMap<number, Ownership>;
  /** By the table's oid. Partitions have their own entries. */
  readonly holdings: ReadonlyMap<number, { readonly a: Holding; readonly b: Holding }>;
  /** Witness rows, by the table's oid. */
  readonly witnessRows: ReadonlyMap<number, WitnessRows>;
  /** The reason why a table has no rows and cannot be attacked, by its oid. */
  readonly problems: ReadonlyMap<number, string>;
  /** The condition for rows that a user may read or write by declaration. */
  readonly sharing: Sharing;
  /** The rows of A that B may read by declaration, as JSON, by the table's oid. */
  readonly readable: ReadonlyMap<number, ReadonlySet<string>>;
  readonly groups: readonly DeclaredGroup[];
  /** Statements that make B a member of the staff who may read a table and not write it, by the table's oid. */
  readonly staff: ReadonlyMap<number, readonly string[]>;
  /** Rows without an owner, which all tenants share, by the table's oid. */
  readonly shared: ReadonlyMap<number, readonly Row[]>;
}

const empty: Holding = { rows: [], insertableRows: [], replaces: false };

/** The tenant's rows in a table; empty if the table has no seed data. */
export function holding({ holdings }: SeedData, table: Pick<Relation, 'oid'>, tenant: 'a' | 'b'): Holding {
  return holdings.get(table.oid)?.[tenant] ?? empty;
}

/** The columns as text, for a select list. */
function asText(client: pg.ClientBase, { columns }: Relation): string {
  return columns
    .map(({ name }) => `t.${client.escapeIdentifier(name)}::text as ${client.escapeIdentifier(name)}`)
    .join(', ');
}

/**
 * Reads one owner's rows in a stable order, with the privileges of `client`.
 *
 * @param owner the owner's id; null reads the rows without an owner.
 * @param condition a further condition on the row `t`.
 */
export async function readRows(
  client: pg.ClientBase,
  table: Relation,
  ownership: Ownership,
  owner: string | null,
  condition = 'true',
): Promise<Row[]> {
  const key = table.keys.find(({ kind, partial }) => kind === 'primary' && !partial)?.columns ?? [];
  const order = key.map((name) => `t.${client.escapeIdentifier(name)}`).join(', ') || '1';
  const { rows } = await client.query<Row>(
    `select ${asText(client, table)} from ${table.sql} t where ${ownership.sql('t')} is not distinct from $1 and ${condition} order by ${order}`,
    [owner],
  );
  return rows;
}

/** `value` as a SQL literal of the column's type. */
export function literal(
  client: pg.ClientBase,
  { types }: Catalog,
  table: Relation,
  column: string,
  value: string | null,
): string {
  if (value === null) return 'null';
  const type = types.get(table.columns.find(({ name }) => name === column)?.type ?? 0);
  return `${client.escapeLiteral(value)}${type ? `::${type.name}` : ''}`;
}
