-- expect: schema app_private
-- expect: schema app_private
grant usage on schema app_private to hedgerow_tenant;
grant usage on schema app_private to public;
-- fixed:
create schema app_shared;
grant usage on schema app_shared to hedgerow_tenant;
