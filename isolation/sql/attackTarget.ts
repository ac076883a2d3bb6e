import type pg from 'pg';
import type { Catalog, Column, Relation } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';
import { type Holding, holding, literal, type Row, type SeedData } from '../seedData/seedData.ts';
import type { Actor } from './sqlAttack.ts';

/** A table or view to attack, with the tenants' rows and helpers that build SQL. */
export interface AttackTarget {
  readonly relation: Relation;
  readonly ownership: Ownership | undefined;
  readonly a: Holding;
  readonly b: Holding;
  readonly actors: Actors;
  /** The quoted name of a column. */
  id(column: string): string;
  literal(column: string, value: string | null): string;
  /** A condition that only this row satisfies. */
  where(row: Row, alias?: string): string;
  readonly key: readonly string[];
  readonly selected: readonly Column[];
  readonly inserted: readonly Column[];
  readonly updated: readonly Column[];
}

interface Actors {
  readonly b: Actor;
  readonly c: Actor;
}

export function createAttackTarget(
  client: pg.ClientBase,
  catalog: Catalog,
  seedData: SeedData,
  relation: Relation,
): AttackTarget {
  const base = relation.kind === 'view' || relation.kind === 'materialized view' ? baseOf(catalog, relation) : relation;
  const names = relation.columns.map(({ name }) => name);
  const project = ({ rows, insertableRows, replaces }: Holding): Holding => ({
    rows: rows.map((row) => only(row, names)),
    insertableRows: insertableRows.map((row) => only(row, names)),
    replaces,
  });
  const id = (column: string) => client.escapeIdentifier(column);
  const write = (column: string, value: string | null) => literal(client, catalog, relation, column, value);
  const unique = relation.keys.find(({ kind, partial }) => kind !== 'exclusion' && !partial)?.columns ?? [];
  const key = unique.length > 0 ? unique : names;
  const permitted = (what: 'select' | 'insert' | 'update') =>
    relation.columns.filter((column) => relation.usage && column[what]);
  return {
    relation,
    ownership: seedData.owners.get(relation.oid),
    a: project(holding(seedData, base ?? relation, 'a')),
    b: project(holding(seedData, base ?? relation, 'b')),
    actors: {
      b: { name: 'B', identity: seedData.b.id },
      c: { name: 'C, a tenant without rows', identity: seedData.c.id },
    },
    id,
    literal: write,
    key,
    where: (row, alias = 't') =>
      key
        .filter((name) => name in row)
        .map((name) => {
          const value = row[name] ?? null;
          if (value === null) return `${alias}.${id(name)} is null`;
          return unique.length > 0
            ? `${alias}.${id(name)} = ${write(name, value)}`
            : `${alias}.${id(name)}::text = ${client.escapeLiteral(value)}`;
        })
        .join(' and ') || 'true',
    selected: permitted('select'),
    inserted: permitted('insert'),
    updated: permitted('update'),
  };
}

/** The table that shares the most column names with the view. */
function baseOf(catalog: Catalog, view: Relation, seen = new Set<number>()): Relation | undefined {
  const tables = new Set<Relation>();
  const walk = (relation: Relation) => {
    if (seen.has(relation.oid)) return;
    seen.add(relation.oid);
    if (!relation.kind.includes('view')) tables.add(relation);
    for (const oid of relation.reads) {
      const read = catalog.relations.get(oid);
      if (read) walk(read);
    }
  };
  walk(view);
  const common = (table: Relation) =>
    table.columns.filter(({ name }) => view.columns.some((column) => column.name === name)).length;
  return [...tables].sort((one, other) => common(other) - common(one))[0];
}

const only = (row: Row, names: readonly string[]): Row =>
  Object.fromEntries(Object.entries(row).filter(([name]) => names.includes(name)));
