-- Expected: app_public.notes: select without a tenant
-- Without a tenant, the helper returns null, and the policy accepts null.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) is null);
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) is null);
create policy update_own on app_public.notes for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) is null)
  with check (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) is null);
create policy delete_own on app_public.notes for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) is null);
grant select, insert (id, title), update (title), delete on app_public.notes to hedgerow_tenant;
