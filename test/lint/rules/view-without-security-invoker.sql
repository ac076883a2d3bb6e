-- expect: app_public.all_titles
-- expect: app_public.switched_off
-- expect: app_public."Odd Name"
-- expect: app_private.titles
-- expect: app_private.erasable
create view app_public.all_titles as select title from app_public.todos;
create view app_public.switched_off with (security_invoker = off) as select title from app_public.todos;
create view app_public."Odd Name" with (security_barrier) as select title from app_public.todos;
-- A view over a view: the outer one runs as the tenant, the inner one does not.
create view app_private.titles as select title from app_public.todos;
create view app_public.titles with (security_invoker) as select * from app_private.titles;
grant select (title) on app_private.titles to hedgerow_tenant;
create view app_private.erasable as select title from app_public.todos;
grant delete on app_private.erasable to hedgerow_tenant;
create view app_private.not_for_tenants as select title from app_public.todos;
-- fixed:
create view app_public.all_titles with (security_invoker = true) as select title from app_public.todos;
create view app_public.switched_off with (security_invoker = on) as select title from app_public.todos;
create view app_public."Odd Name" with (security_barrier, security_invoker = 1) as select title from app_public.todos;
create view app_private.titles with (security_invoker = yes) as select title from app_public.todos;
create view app_public.titles with (security_invoker) as select * from app_private.titles;
grant select (title) on app_private.titles to hedgerow_tenant;
