import type pg from 'pg';
import type { Catalog, Relation } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';

/** A tenant. `id` is what the setting holds in its transactions. */
export interface SeededTenant {
  readonly name: 'A' | 'B' | 'C';
  readonly id: string;
}

/** A row as text, by the names of its columns. */
export type Row = Readonly<Record<string, string | null>>;

/** What a tenant has in a table. */
export interface Holding {
  readonly rows: readonly Row[];
  /** Rows that it could have besides: the first with every column filled, the next with what is required. */
  readonly insertableRows: readonly Row[];
  /** A insertableRows row only fits where its own rows are gone, because a tenant can have but one. */
  readonly replaces: boolean;
}

/** What was made for a table because something speaks of its values. */
export interface WitnessRows {
  /** A's rows that a condition lets through, by their text, with the condition. */
  readonly why: ReadonlyMap<string, string>;
  /** Rows that A and B could have besides. */
  readonly insertableRows: Readonly<Record<'A' | 'B', readonly Row[]>>;
  /** RowValues that functions and triggers speak of, by column: what an update may bring about. */
  readonly words: ReadonlyMap<string, readonly (string | null)[]>;
}

/** Who takes part, and what they have. */
export interface SeedData {
  readonly seed: number;
  readonly a: SeededTenant;
  readonly b: SeededTenant;
  /** A tenant without rows: where there is a table of tenants it has its row there, and nothing else. */
  readonly c: SeededTenant;
  /** An id of nobody, of the type of ids. */
  readonly nobody: string;
  readonly owners: ReadonlyMap<number, Ownership>;
  /** By the table's oid; partitions have theirs too. */
  readonly holdings: ReadonlyMap<number, { readonly a: Holding; readonly b: Holding }>;
  /** What was made because a condition speaks of it. */
  readonly witnessRows: ReadonlyMap<number, WitnessRows>;
  /** Why rows of a table could not be made, by its oid: it cannot be attacked. */
  readonly problems: ReadonlyMap<number, string>;
  /** Rows of tables that are everybody's. */
  readonly shared: ReadonlyMap<number, readonly Row[]>;
}

const empty: Holding = { rows: [], insertableRows: [], replaces: false };

export function holding({ holdings }: SeedData, table: Pick<Relation, 'oid'>, tenant: 'a' | 'b'): Holding {
  return holdings.get(table.oid)?.[tenant] ?? empty;
}

/** The columns as text, for a select list. */
function asText(client: pg.ClientBase, { columns }: Relation): string {
  return columns
    .map(({ name }) => `t.${client.escapeIdentifier(name)}::text as ${client.escapeIdentifier(name)}`)
    .join(', ');
}

/** The rows of one owner, or where that is null those of nobody, as whoever `client` is; in a stable order. */
export async function readRows(
  client: pg.ClientBase,
  table: Relation,
  ownership: Ownership,
  owner: string | null,
): Promise<Row[]> {
  const key = table.keys.find(({ kind, partial }) => kind === 'primary' && !partial)?.columns ?? [];
  const order = key.map((name) => `t.${client.escapeIdentifier(name)}`).join(', ') || '1';
  const { rows } = await client.query<Row>(
    `select ${asText(client, table)} from ${table.sql} t where ${ownership.sql('t')} is not distinct from $1 order by ${order}`,
    [owner],
  );
  return rows;
}

/** `value` as it stands in a statement: a literal of the column's type. */
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
