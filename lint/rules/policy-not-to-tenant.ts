import { tenantTables } from '../facts.ts';
import type { CatalogRule } from '../rule.ts';

export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow says which roles policies are for' },
  title: 'a policy is for another role than hedgerow_tenant',
  query: `
    select format('policy %I on %s', p.polname, t.object) as object,
      'is for ' || string_agg(case when r.oid = 0 then 'everybody (public)' else r.oid::regrole::text end, ', ' order by r.oid)
        || ', not for hedgerow_tenant alone' as detail
    from pg_policy p
    join ${tenantTables} t on t.oid = p.polrelid
    cross join unnest(p.polroles) r (oid)
    where r.oid = 0 or r.oid::regrole::text not in ('hedgerow_tenant', 'hedgerow_auth')
    group by p.polname, t.object`,
};
