import type { CatalogRule } from '../rule.ts';
import { scopedFunctions, scopedRelations, scopedSchemas } from '../scopedObjects.ts';

/** An owner has every right on its objects. No policy restricts the views and triggers of a superuser. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow defines which role owns all objects' },
  title: 'an object is not owned by hedgerow_owner',
  query: `
    select o.object,
      format('is owned by %s, which has all rights on it: change the owner to hedgerow_owner', o.owner::regrole) as detail
    from (
      select object, relowner as owner from ${scopedRelations} c
      union all
      select object, proowner from ${scopedFunctions} f
      union all
      select object, nspowner from ${scopedSchemas} n where n.nspname <> 'public'
    ) o
    where o.owner <> to_regrole('hedgerow_owner')
    order by 1`,
};
