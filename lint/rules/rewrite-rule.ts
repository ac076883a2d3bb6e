import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** The statements that a rewrite rule adds run with the rights of the table owner. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a rewrite rule runs statements with the rights of the table owner',
  query: `
    select format('rule %I on %s', r.rulename, c.object) as object,
      format('its statements run with the rights of %s, not under the policies of the tenant: use a trigger',
        c.relowner::regrole) as detail
    from ${scopedRelations} c
    join pg_rewrite r on r.ev_class = c.oid
    where c.reached and r.rulename <> '_RETURN'
    order by 1`,
};
