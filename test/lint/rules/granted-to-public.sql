-- expect: app_public.todos
-- expect: app_private.credentials.is_active
-- expect: schema app_search
grant select, delete on app_public.todos to public;
grant select (is_active) on app_private.credentials to public;
grant usage on schema app_search to public;
-- fixed:
-- The extension grants its views to everybody. The rule ignores them.
create extension pg_stat_statements;
grant select, delete on app_public.todos to hedgerow_tenant;
grant usage on schema app_search to hedgerow_tenant;
