import type { CatalogRule } from '../rule.ts';
import { ourRelations } from '../scopedObjects.ts';

/** A view reads its tables with the rights of its owner unless it says otherwise. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a view reads its tables as its owner and not as the tenant',
  query: `
    select c.object, 'reads its tables as ' || c.relowner::regrole || ' and not as the tenant who asks' as detail
    from ${ourRelations} c
    where c.relkind = 'v' and c.reached
      and not exists (
        select from pg_options_to_table(c.reloptions)
        where option_name = 'security_invoker' and option_value::boolean
      )
    order by 1`,
};
