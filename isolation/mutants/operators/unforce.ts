import type { Kind } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';

/** The table's owner is not bound by its policies. */
export const unforce: Kind = function* ({ catalog }) {
  for (const table of tablesOf(catalog)) {
    if (!table.rowSecurity || !table.forced) continue;
    yield {
      object: table.name,
      description: `FORCE is off: ${table.owner}, who owns ${table.name}, sees every row of it.`,
      sql: `alter table ${table.sql} no force row level security`,
      relations: [table.oid],
    };
  }
};
