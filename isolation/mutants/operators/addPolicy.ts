import type { Kind } from '../mutant.ts';
import { commands, tablesOf } from '../mutantTarget.ts';
import { notGranted, openAlready, ownerIsGiven, unreachable } from '../proofs.ts';

/** One more permissive policy, which lets every row through whatever the others say. */
export const addPolicy: Kind = function* (ground) {
  const { catalog } = ground;
  for (const table of tablesOf(catalog)) {
    if (!table.rowSecurity) continue;
    for (const command of commands) {
      const [using, check] = [command !== 'insert', command === 'insert' || command === 'update'];
      yield {
        object: `${command} on ${table.name}`,
        description: `One more policy lets ${catalog.role} ${command} every row of ${table.name}.`,
        sql: `create policy mutant on ${table.sql} for ${command} to ${catalog.role}${using ? ' using (true)' : ''}${check ? ' with check (true)' : ''}`,
        relations: [table.oid],
        proofs: [
          unreachable(catalog, table),
          notGranted(catalog, table, command),
          openAlready(catalog, table, command),
          ...(command === 'insert' ? ownerIsGiven(ground, table, command) : []),
        ],
      };
    }
  }
};
