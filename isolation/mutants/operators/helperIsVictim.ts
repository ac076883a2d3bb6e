import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { replaceBody } from '../routineSql.ts';

/** The helper that says who is asking says another tenant, anyone who asks. */
export const helperIsVictim: Kind = function* ({ catalog, victim }) {
  for (const helper of catalog.helpers) {
    const type = catalog.types.get(helper.returns)?.name;
    yield {
      object: helper.name,
      description: `${helper.name} names the same tenant, anyone who asks.`,
      sql: replaceBody(helper, `select ${pg.escapeLiteral(victim)}::${type}`, catalog),
    };
  }
};
