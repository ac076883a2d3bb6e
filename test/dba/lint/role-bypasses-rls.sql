-- expect: role hedgerow_tenant
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_authenticator
-- expect: role hedgerow_auth
-- expect: role hedgerow_auth
alter role hedgerow_tenant bypassrls;
create role accountants superuser;
create role bookkeepers in role accountants;
grant bookkeepers to hedgerow_auth;
grant hedgerow_owner to hedgerow_auth;
alter role hedgerow_authenticator inherit;
grant hedgerow_tenant to hedgerow_authenticator with inherit true;
-- mended:
alter role hedgerow_tenant nobypassrls;
create role accountants;
grant accountants to hedgerow_auth;
grant hedgerow_tenant to hedgerow_authenticator with inherit false;
