import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';
import { triggerNeverFires, unreachable } from '../proofs.ts';

/** A trigger that refuses things refuses nothing. */
export const disableTrigger: Kind = function* ({ catalog }) {
  for (const table of tablesOf(catalog)) {
    for (const trigger of table.triggers) {
      const { source } = catalog.routines.find(({ oid }) => oid === trigger.function) ?? { source: '' };
      if (!/\braise\s+exception\b/i.test(source)) continue;
      yield {
        object: `trigger ${trigger.name} on ${table.name}`,
        description: `The trigger ${trigger.name} on ${table.name} is off, and refuses nothing.`,
        sql: `alter table ${table.sql} disable trigger ${pg.escapeIdentifier(trigger.name)}`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), triggerNeverFires(catalog, table, trigger.name)],
      };
    }
  }
};
