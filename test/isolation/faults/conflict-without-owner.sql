-- Expected: app_public.settings: insert
-- A setting is unique by name alone, so an upsert conflicts with the setting of another tenant.

create table app_public.settings (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  name text primary key,
  value text not null
);
alter table app_public.settings enable row level security, force row level security;
create policy select_own on app_public.settings for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.settings for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.settings for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.settings for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (name, value), update (value), delete on app_public.settings to hedgerow_tenant;
