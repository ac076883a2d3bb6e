-- expect: function app_public.current_user_id()
create or replace function app_public.current_user_id() returns uuid
  language sql stable parallel safe
  return coalesce(nullif(current_setting('app.current_user_id', true), ''), '11111111-1111-4111-8111-111111111111')::uuid;
-- fixed:
create or replace function app_public.current_user_id() returns uuid
  language sql stable parallel safe set search_path = ''
  as $$ SELECT (nullif(pg_catalog.current_setting('app.current_user_id', true), ''))::uuid; $$;
