import type { Catalog, Relation } from '../../catalog.ts';
import type { Kind, Proof } from '../mutant.ts';
import { type Command, commands, tablesOf } from '../mutantTarget.ts';
import { addsPlainColumns, refusedByDefault, unreachable } from '../proofs.ts';

const privileges = [...commands, 'truncate', 'references', 'trigger'] as const;

/** A privilege on a whole table that the role has not, and all of them for everybody. */
export const grantTable: Kind = function* ({ catalog }) {
  const { role } = catalog;
  for (const table of tablesOf(catalog)) {
    const missing = privileges.filter((privilege) => !table.privileges.includes(privilege));
    for (const privilege of missing) {
      yield {
        object: `${privilege} on ${table.name}`,
        description: `${role} may ${privilege} on the whole of ${table.name}.`,
        sql: `grant ${privilege} on ${table.sql} to ${role}`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), ...refused(catalog, table, privilege)],
      };
    }
    if (missing.length === 0) continue;
    yield {
      object: `everything on ${table.name} to public`,
      description: `Everybody may do everything with ${table.name}.`,
      sql: `grant all on ${table.sql} to public`,
      relations: [table.oid],
      proofs: [unreachable(catalog, table)],
    };
  }
};

function refused(catalog: Catalog, table: Relation, privilege: (typeof privileges)[number]): Proof[] {
  const command = commands.find((name): name is Command => name === privilege);
  return command ? [refusedByDefault(catalog, table, command), addsPlainColumns(catalog, table, command)] : [];
}
