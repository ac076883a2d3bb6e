import type { CatalogRule } from '../rule.ts';
import { scopedRelations } from '../scopedObjects.ts';

/** Without security_invoker, a view reads its tables with the rights of its owner. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a view reads its tables as its owner, not as the tenant',
  query: `
    select c.object,
      format('reads its tables as %s, so the policies of the tenant do not apply: set security_invoker = true',
        c.relowner::regrole) as detail
    from ${scopedRelations} c
    where c.relkind = 'v' and c.reached
      and not exists (
        select from pg_options_to_table(c.reloptions)
        where option_name = 'security_invoker' and option_value::boolean
      )
    order by 1`,
};
