import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** Statements that a rewrite rule adds run with the rights of the table's owner. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a rule rewrites statements and runs with the rights of its owner',
  query: `
    select format('rule %I on %s', r.rulename, c.object) as object,
      'what it does is done with the rights of ' || c.relowner::regrole as detail
    from ${ourRelations} c
    join pg_rewrite r on r.ev_class = c.oid
    where c.reached and r.rulename <> '_RETURN'
    order by 1`,
};
