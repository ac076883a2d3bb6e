-- expect: app_public.lists
-- expect: app_public.todos
-- expect: app_public.todos
-- expect: app_private.credentials
grant truncate on app_public.lists to hedgerow_tenant;
grant select, trigger on app_public.todos to hedgerow_tenant;
grant references (id) on app_public.todos to public;
create role accountants;
grant accountants to hedgerow_tenant;
grant references on app_private.credentials to accountants;
-- fixed:
grant select, delete on app_public.todos to hedgerow_tenant;
create role accountants;
grant truncate on app_private.rate_limits to accountants;
