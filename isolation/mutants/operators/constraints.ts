import pg from 'pg';
import { columnsNotWritable, unreachable } from '../equivalenceProofs.ts';
import type { MutationOperator } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';

/** A foreign key refers to its parent without the parent's owner. */
export const plainForeignKey: MutationOperator = function* ({ catalog, owners }) {
  for (const table of tablesOf(catalog)) {
    const owner = owners.get(table.oid)?.column?.name;
    for (const { name, columns, references, referenced } of table.foreignKeys) {
      const parent = catalog.relations.get(references);
      const rest = columns.filter((column) => column !== owner);
      if (!parent || rest.length === 0 || rest.length === columns.length) continue;
      const targets = referenced.filter((_, at) => columns[at] !== owner);
      const list = (names: readonly string[]) => names.map((column) => pg.escapeIdentifier(column)).join(', ');
      const isUnique = parent.keys.some(
        ({ columns: key, kind, partial }) =>
          kind !== 'exclusion' &&
          !partial &&
          key.length === targets.length &&
          targets.every((column) => key.includes(column)),
      );
      yield {
        object: `foreign key ${name} on ${table.name}`,
        description: `${rest.join(', ')} of ${table.name} may reference any row of ${parent.name}, whichever tenant owns it.`,
        sql: `${isUnique ? '' : `create unique index on ${parent.sql} (${list(targets)});\n`}alter table ${table.sql} drop constraint ${pg.escapeIdentifier(name)},
  add foreign key (${list(rest)}) references ${parent.sql} (${list(targets)})`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), columnsNotWritable(catalog, table, rest)],
      };
    }
  }
};

/** A key is unique across all tenants, not per tenant. A conflict then reveals the value of another tenant. */
export const uniqueForAll: MutationOperator = function* ({ catalog, owners }) {
  for (const table of tablesOf(catalog)) {
    const owner = owners.get(table.oid)?.column?.name;
    for (const { name, kind, columns, partial } of table.keys) {
      const rest = columns.filter((column) => column !== owner);
      if (kind === 'exclusion' || partial || rest.length === 0 || rest.length === columns.length) continue;
      yield {
        object: `${name} of ${table.name}`,
        description: `${rest.join(', ')} of ${table.name} must be unique across all tenants, not only for each tenant.`,
        // Keep the original key, because foreign keys may need it.
        sql: `create unique index on ${table.sql} (${rest.map((column) => pg.escapeIdentifier(column)).join(', ')})`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), columnsNotWritable(catalog, table, rest)],
      };
    }
  }
};
