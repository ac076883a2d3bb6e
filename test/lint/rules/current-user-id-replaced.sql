-- expect: function app_public.current_user_id()
-- expect: function app_public.current_organization_id()
-- expect: function app_public.current_member_role()
create or replace function app_public.current_user_id() returns uuid
  language sql stable parallel safe
  return coalesce(nullif(current_setting('app.current_user_id', true), ''), '11111111-1111-4111-8111-111111111111')::uuid;
create or replace function app_public.current_organization_id() returns uuid
  language sql immutable parallel safe
  return nullif(current_setting('app.current_organization_id', true), '')::uuid;
create or replace function app_public.current_member_role() returns text
  language sql stable parallel safe
  return coalesce(nullif(current_setting('app.current_member_role', true), ''), 'owner');
-- fixed:
create or replace function app_public.current_user_id() returns uuid
  language sql stable parallel safe set search_path = ''
  as $$ SELECT (nullif(pg_catalog.current_setting('app.current_user_id', true), ''))::uuid; $$;
create or replace function app_public.current_member_role() returns text
  language sql stable parallel safe set search_path = ''
  as $$ select nullif(pg_catalog.current_setting('app.current_member_role', true), '') $$;
