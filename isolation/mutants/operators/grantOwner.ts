import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';
import { unreachable } from '../proofs.ts';

/** The column that says whose a row is becomes something that a tenant may write. */
export const grantOwner: Kind = function* ({ catalog, owners }) {
  for (const table of tablesOf(catalog)) {
    const column = owners.get(table.oid)?.column;
    if (!column || column.generated || column.identity === 'always') continue;
    for (const command of ['insert', 'update'] as const) {
      // Without the command on some other column there is no input that the owner's could become part of.
      if (column[command] || !table.columns.some((other) => other[command])) continue;
      yield {
        object: `${command} of ${table.name}.${column.name}`,
        description: `${catalog.role} may ${command} ${column.name}, which says whose a row of ${table.name} is.`,
        sql: `grant ${command} (${pg.escapeIdentifier(column.name)}) on ${table.sql} to ${catalog.role}`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table)],
      };
    }
  }
};
