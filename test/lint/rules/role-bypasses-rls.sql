-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_owner
-- expect: role hedgerow_auth
-- expect: role hedgerow_auth
-- expect: role hedgerow_tenant
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_auth
-- expect: role hedgerow_auth
alter role hedgerow_tenant bypassrls;
alter role hedgerow_authenticator createrole;
grant pg_execute_server_program to hedgerow_auth;
alter role hedgerow_owner replication;
create role accountants superuser;
create role bookkeepers in role accountants;
grant bookkeepers to hedgerow_auth;
grant hedgerow_owner to hedgerow_auth;
alter role hedgerow_authenticator inherit;
grant hedgerow_tenant to hedgerow_authenticator with inherit true;
-- fixed:
alter role hedgerow_tenant nobypassrls;
grant pg_monitor, pg_read_all_stats to hedgerow_owner;
create role accountants;
grant accountants to hedgerow_auth;
grant hedgerow_tenant to hedgerow_authenticator with inherit false;
