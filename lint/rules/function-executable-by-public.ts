import type { CatalogRule } from '../rule.ts';
import { scopedFunctions } from '../scopedObjects.ts';

/** Postgres lets PUBLIC execute every new function unless default privileges revoke that. */
export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'Postgres lets PUBLIC execute every function, and only Hedgerow revokes that' },
  title: 'every role may execute a function',
  query: `
    select f.object, case when f.proacl is null then 'EXECUTE was never revoked from PUBLIC' else 'EXECUTE is granted to PUBLIC' end
      || ', so every role may call it: revoke it and grant it to the roles that need it' as detail
    from ${scopedFunctions} f
    where exists (
      select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
      where a.grantee = 0 and a.privilege_type = 'EXECUTE'
    )
    order by 1`,
};
