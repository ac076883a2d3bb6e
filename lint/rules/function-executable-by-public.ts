import type { CatalogRule } from '../rule.ts';
import { ourFunctions } from '../scopedObjects.ts';

/** Postgres lets PUBLIC execute every new function unless default privileges say otherwise. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'Postgres lets PUBLIC execute every function; only Hedgerow revokes that' },
  title: 'every role may execute a function',
  query: `
    select f.object, case when f.proacl is null then 'nothing was ever revoked from PUBLIC' else 'granted to PUBLIC' end as detail
    from ${ourFunctions} f
    where exists (
      select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
      where a.grantee = 0 and a.privilege_type = 'EXECUTE'
    )
    order by 1`,
};
