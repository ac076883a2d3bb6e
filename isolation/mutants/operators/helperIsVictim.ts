import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { replaceBody } from '../routineSql.ts';

/** The helper that returns the current tenant returns another one, for every caller. */
export const helperIsVictim: Kind = function* ({ catalog, victim }) {
  for (const helper of catalog.helpers) {
    const type = catalog.types.get(helper.returns)?.name;
    yield {
      object: helper.name,
      description: `${helper.name} returns the same tenant for every caller.`,
      sql: replaceBody(helper, `select ${pg.escapeLiteral(victim)}::${type}`, catalog),
    };
  }
};
