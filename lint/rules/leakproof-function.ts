import type { CatalogRule } from '../rule.ts';
import { ourFunctions } from '../scopedObjects.ts';

/** Postgres may call what is marked so before it asks the policies. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a function marked as leakproof may be given rows that no policy has let through',
  query: `
    select f.object, null as detail
    from ${ourFunctions} f
    where f.proleakproof
    order by 1`,
};
