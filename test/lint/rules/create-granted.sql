-- expect: schema app_public
-- expect: schema public
-- expect: database
grant create on schema app_public to hedgerow_tenant;
grant create on schema public to public;
do $$ begin execute format('grant temporary on database %I to hedgerow_auth', current_database()); end $$;
-- fixed:
grant usage on schema app_public to hedgerow_tenant;
revoke create on schema public from public;
