-- Expected: app_public.notes: what B sees after A's own insert
-- The owner is current_user, which is the same role for every tenant.

create table app_public.notes (
  id uuid primary key default gen_random_uuid(),
  owner name not null default current_user,
  title text not null
);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (owner = current_user);
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (owner = current_user);
create policy update_own on app_public.notes for update to hedgerow_tenant
  using (owner = current_user)
  with check (owner = current_user);
create policy delete_own on app_public.notes for delete to hedgerow_tenant
  using (owner = current_user);
grant select, insert (title), update (title), delete on app_public.notes to hedgerow_tenant;
