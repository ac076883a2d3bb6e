-- expect: default privileges of hedgerow_owner on tables in schema app_public
-- expect: default privileges of hedgerow_owner on sequences
-- expect: default privileges of hedgerow_owner on functions
alter default privileges for role hedgerow_owner in schema app_public grant select, insert on tables to hedgerow_tenant;
alter default privileges for role hedgerow_owner grant usage on sequences to public;
alter default privileges for role hedgerow_owner grant execute on functions to public;
alter default privileges for role hedgerow_owner grant usage on types to hedgerow_tenant;
-- A revoke for one schema does not remove a grant for all schemas.
alter default privileges for role hedgerow_owner in schema app_public revoke execute on functions from public;
alter default privileges for role hedgerow_owner in schema app_public grant execute on functions to hedgerow_auth;
-- fixed:
alter default privileges for role hedgerow_owner in schema app_public grant select on tables to hedgerow_auth;
alter default privileges for role hedgerow_owner revoke execute on functions from public;
