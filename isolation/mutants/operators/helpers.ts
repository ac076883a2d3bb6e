import pg from 'pg';
import { tenantSettings } from '../../identity.ts';
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
    const setting = tenantSettings(catalog).find((name) => helper.source.includes(name)) ?? catalog.setting;
    const tenant = `nullif(pg_catalog.current_setting(${pg.escapeLiteral(setting)}, true), '')`;
    yield {
      object: helper.name,
      description: `${helper.name} returns a tenant even if ${setting} has no value.`,
      sql: replaceBody(helper, `select coalesce(${tenant}, ${pg.escapeLiteral(victim)})::${type}`, catalog),
    };
  }
};

/** A function that reads another setting than the tenant's, such as a member's role, returns A's value for every caller. */
export const helperIgnoresSetting: MutationOperator = function* ({ catalog }) {
  const limits = new Set((catalog.groups?.limited ?? []).flatMap(({ set }) => Object.keys(set)));
  for (const [setting, value] of Object.entries(catalog.set ?? {})) {
    if (!limits.has(setting)) continue;
    for (const routine of functionsInPolicies(catalog)) {
      if (routine.arguments.length > 0 || !routine.source.includes(setting)) continue;
      yield {
        object: routine.name,
        description: `${routine.name} returns ${value} whatever ${setting} is.`,
        sql: replaceBody(
          routine,
          `select ${pg.escapeLiteral(value)}::${catalog.types.get(routine.returns)?.name}`,
          catalog,
        ),
      };
    }
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
