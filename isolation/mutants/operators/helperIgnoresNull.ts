import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { replaceBody } from '../routineSql.ts';

/** The helper that says who is asking takes nobody for somebody. */
export const helperIgnoresNull: Kind = function* ({ catalog, victim }) {
  for (const helper of catalog.helpers) {
    const type = catalog.types.get(helper.returns)?.name;
    const asked = `nullif(pg_catalog.current_setting(${pg.escapeLiteral(catalog.setting)}, true), '')`;
    yield {
      object: helper.name,
      description: `${helper.name} names a tenant where nobody has said who is asking.`,
      sql: replaceBody(helper, `select coalesce(${asked}, ${pg.escapeLiteral(victim)})::${type}`, catalog),
    };
  }
};
