import type { CatalogRule } from '../rule.ts';
import { ourFunctions, ourRelations, ourSchemas } from '../scopedObjects.ts';

/** An owner may do everything with what it owns, and a view or a trigger of a superuser's is bound by no policy. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow says which role owns everything' },
  title: 'something is not owned by hedgerow_owner',
  query: `
    select o.object, 'owned by ' || o.owner::regrole as detail
    from (
      select object, relowner as owner from ${ourRelations} c
      union all
      select object, proowner from ${ourFunctions} f
      union all
      select object, nspowner from ${ourSchemas} n where n.nspname <> 'public'
    ) o
    where o.owner <> to_regrole('hedgerow_owner')
    order by 1`,
};
