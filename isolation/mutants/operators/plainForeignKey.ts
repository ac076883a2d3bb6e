import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';
import { notChosen, unreachable } from '../proofs.ts';

/** A foreign key that names its parent without the parent's owner. */
export const plainForeignKey: Kind = function* ({ catalog, owners }) {
  for (const table of tablesOf(catalog)) {
    const owner = owners.get(table.oid)?.column?.name;
    for (const { name, columns, references, referenced } of table.foreignKeys) {
      const parent = catalog.relations.get(references);
      const rest = columns.filter((column) => column !== owner);
      if (!parent || rest.length === 0 || rest.length === columns.length) continue;
      const named = referenced.filter((_, at) => columns[at] !== owner);
      const list = (names: readonly string[]) => names.map((column) => pg.escapeIdentifier(column)).join(', ');
      const unique = parent.keys.some(
        ({ columns: key, kind, partial }) =>
          kind !== 'exclusion' &&
          !partial &&
          key.length === named.length &&
          named.every((column) => key.includes(column)),
      );
      yield {
        object: `foreign key ${name} on ${table.name}`,
        description: `${rest.join(', ')} of ${table.name} may reference any row of ${parent.name}, whichever tenant owns it.`,
        sql: `${unique ? '' : `create unique index on ${parent.sql} (${list(named)});\n`}alter table ${table.sql} drop constraint ${pg.escapeIdentifier(name)},
  add foreign key (${list(rest)}) references ${parent.sql} (${list(named)})`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), notChosen(catalog, table, rest)],
      };
    }
  }
};
