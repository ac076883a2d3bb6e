-- expect: app_public.totals
-- expect: app_private.counts
create materialized view app_public.totals as select user_id, count(*) from app_public.todos group by user_id;
create materialized view app_private.counts as select user_id, count(*) from app_public.todos group by user_id;
grant select on app_private.counts to public;
create materialized view app_private.not_for_tenants as select count(*) from app_public.todos;
-- fixed:
create view app_public.totals with (security_invoker = true) as
  select user_id, count(*) from app_public.todos group by user_id;
create materialized view app_private.counts as select user_id, count(*) from app_public.todos group by user_id;
