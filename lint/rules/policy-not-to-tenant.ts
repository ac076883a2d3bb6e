import type { CatalogRule } from '../rule.ts';
import { tenantTables } from '../tenantTables.ts';

export const rule: CatalogRule = {
  level: 'error',
  elsewhere: { notJudged: 'only Hedgerow defines which roles policies apply to' },
  title: 'a policy applies to another role than hedgerow_tenant',
  query: `
    select format('policy %I on %s', p.polname, t.object) as object,
      'applies to ' || string_agg(case when r.oid = 0 then 'every role (public)' else r.oid::regrole::text end, ', ' order by r.oid)
        || ', which widens the access of each such role: create it to hedgerow_tenant only' as detail
    from pg_policy p
    join ${tenantTables} t on t.oid = p.polrelid
    cross join unnest(p.polroles) r (oid)
    where (r.oid = 0 or r.oid::regrole::text not in ('hedgerow_tenant', 'hedgerow_auth'))
      -- The identity statement reads memberships before the transaction has an identity.
      and not (p.polcmd = 'r' and r.oid = to_regrole('hedgerow_authenticator'))
      -- FORCE binds the owner, too. A helper of policies that looks up memberships as their owner needs a policy.
      and not (p.polcmd = 'r' and r.oid = (select relowner from pg_class c where c.oid = t.oid) and exists (
        select from pg_proc f
        join pg_depend d on d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
        where f.prosecdef and f.proowner = r.oid
      ))
    group by p.polname, t.object`,
};
