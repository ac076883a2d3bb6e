import pg from 'pg';
import type { MutationOperator } from '../mutant.ts';
import { functionsInPolicies } from '../mutantTarget.ts';
import { replaceBody, signature } from '../statements.ts';

/** A function runs as its owner, not as its caller. */
export const securityDefiner: MutationOperator = function* ({ catalog }) {
  for (const routine of catalog.routines) {
    if (routine.definer || !routine.executable) continue;
    yield {
      object: routine.name,
      description: `${routine.name} runs as its owner ${routine.owner}, not as its caller.`,
      sql: `alter routine ${signature(routine, catalog)} security definer`,
    };
  }
};

/** The helper that returns the current tenant returns the victim for every caller. */
export const helperIsVictim: MutationOperator = function* ({ catalog, victim }) {
  for (const helper of catalog.helpers) {
    const type = catalog.types.get(helper.returns)?.name;
    yield {
      object: helper.name,
      description: `${helper.name} returns the same tenant for every caller.`,
      sql: replaceBody(helper, `select ${pg.escapeLiteral(victim)}::${type}`, catalog),
    };
  }
};

/** The helper that returns the current tenant returns the victim if the setting has no value. */
export const helperIgnoresNull: MutationOperator = function* ({ catalog, victim }) {
  for (const helper of catalog.helpers) {
    const type = catalog.types.get(helper.returns)?.name;
    const tenant = `nullif(pg_catalog.current_setting(${pg.escapeLiteral(catalog.setting)}, true), '')`;
    yield {
      object: helper.name,
      description: `${helper.name} returns a tenant even if ${catalog.setting} has no value.`,
      sql: replaceBody(helper, `select coalesce(${tenant}, ${pg.escapeLiteral(victim)})::${type}`, catalog),
    };
  }
};

/** A boolean function that policies call always returns true. */
export const helperReturnsTrue: MutationOperator = function* ({ catalog }) {
  for (const routine of functionsInPolicies(catalog)) {
    if (catalog.types.get(routine.returns)?.name !== 'boolean' || routine.returnsSet) continue;
    yield {
      object: routine.name,
      description: `${routine.name} always returns true.`,
      sql: replaceBody(routine, 'select true', catalog),
    };
  }
};
