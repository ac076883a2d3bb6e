-- expect: policy select_own on app_public.notes
-- expect: policy insert_own on app_public.notes
create table app_public.notes (user_id uuid primary key, title text);
create table app_private.owners (user_id uuid primary key);
create table app_public.secrets (user_id uuid primary key);
create function app_public.is_mine(owner uuid) returns boolean language sql stable
  set search_path from current as $$ select owner = app_public.current_user_id() $$;
revoke execute on function app_public.is_mine from public, hedgerow_tenant;
create policy select_own on app_public.notes for select to hedgerow_tenant using (app_public.is_mine(user_id));
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (user_id in (select s.user_id from app_public.secrets s));
grant select, insert on app_public.notes to hedgerow_tenant;
-- mended:
create table app_public.notes (user_id uuid primary key, title text);
create table app_public.secrets (user_id uuid primary key);
create function app_public.is_mine(owner uuid) returns boolean language sql stable
  set search_path from current as $$ select owner = app_public.current_user_id() $$;
revoke execute on function app_public.is_mine from public;
grant execute on function app_public.is_mine to hedgerow_tenant;
create policy select_own on app_public.notes for select to hedgerow_tenant using (app_public.is_mine(user_id));
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (user_id in (select s.user_id from app_public.secrets s));
grant select (user_id) on app_public.secrets to hedgerow_tenant;
grant select, insert on app_public.notes to hedgerow_tenant;
