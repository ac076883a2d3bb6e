import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';
import { notChosen, unreachable } from '../proofs.ts';

/** What is unique for each tenant is unique for all: one is told what another has. */
export const uniqueForAll: Kind = function* ({ catalog, owners }) {
  for (const table of tablesOf(catalog)) {
    const owner = owners.get(table.oid)?.column?.name;
    for (const { name, kind, columns, partial } of table.keys) {
      const rest = columns.filter((column) => column !== owner);
      if (kind === 'exclusion' || partial || rest.length === 0 || rest.length === columns.length) continue;
      yield {
        object: `${name} of ${table.name}`,
        description: `${rest.join(', ')} of ${table.name} is unique among all tenants, not for each.`,
        // Beside the key that is there: foreign keys may need that one.
        sql: `create unique index on ${table.sql} (${rest.map((column) => pg.escapeIdentifier(column)).join(', ')})`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), notChosen(catalog, table, rest)],
      };
    }
  }
};
