import pg from 'pg';
import { allRowsAllowed, notGranted, triggerNeverFires, unreachable } from '../equivalenceProofs.ts';
import type { MutationOperator } from '../mutant.ts';
import { tablesOf } from '../mutantTarget.ts';

/** Disables the row-level security of a table, so its policies do not apply. */
export const disableRowSecurity: MutationOperator = function* ({ catalog }) {
  for (const table of tablesOf(catalog)) {
    if (!table.rowSecurity) continue;
    yield {
      object: table.name,
      description: `Row-level security of ${table.name} is off: its policies do not apply.`,
      sql: `alter table ${table.sql} disable row level security`,
      relations: [table.oid],
      proofs: [unreachable(catalog, table), notGranted(catalog, table, 'all'), allRowsAllowed(catalog, table, 'all')],
    };
  }
};

/** Turns FORCE off, so the policies do not apply to the table's owner. */
export const unforceRowSecurity: MutationOperator = function* ({ catalog }) {
  for (const table of tablesOf(catalog)) {
    if (!table.rowSecurity || !table.forced) continue;
    yield {
      object: table.name,
      description: `FORCE is off: ${table.owner}, the owner of ${table.name}, sees every row.`,
      sql: `alter table ${table.sql} no force row level security`,
      relations: [table.oid],
    };
  }
};

/** A view runs as its owner, not as the role that queries it. */
export const viewAsOwner: MutationOperator = function* ({ catalog }) {
  for (const view of catalog.views) {
    if (!view.options.some((option) => /^security_invoker=(true|on|1|yes)$/.test(option))) continue;
    yield {
      object: view.name,
      description: `The view ${view.name} runs as its owner ${view.owner}, not as the role that queries it.`,
      sql: `alter view ${view.sql} set (security_invoker = false)`,
      relations: [view.oid],
    };
  }
};

/** Disables a trigger that can raise an exception. */
export const disableTrigger: MutationOperator = function* ({ catalog }) {
  for (const table of tablesOf(catalog)) {
    for (const trigger of table.triggers) {
      const { source } = catalog.routines.find(({ oid }) => oid === trigger.function) ?? { source: '' };
      if (!/\braise\s+exception\b/i.test(source)) continue;
      yield {
        object: `trigger ${trigger.name} on ${table.name}`,
        description: `The trigger ${trigger.name} on ${table.name} is off and refuses nothing.`,
        sql: `alter table ${table.sql} disable trigger ${pg.escapeIdentifier(trigger.name)}`,
        relations: [table.oid],
        proofs: [unreachable(catalog, table), triggerNeverFires(catalog, table, trigger.name)],
      };
    }
  }
};
