import type { Kind } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';
import { notGranted, openAlready, unreachable } from '../proofs.ts';

/** A table without row-level security: its policies are not asked. */
export const disable: Kind = function* ({ catalog }) {
  for (const table of tablesOf(catalog)) {
    if (!table.rowSecurity) continue;
    yield {
      object: table.name,
      description: `Row-level security of ${table.name} is off: its policies are not asked.`,
      sql: `alter table ${table.sql} disable row level security`,
      relations: [table.oid],
      proofs: [unreachable(catalog, table), notGranted(catalog, table, 'all'), openAlready(catalog, table, 'all')],
    };
  }
};
