-- Expected: app_public.bookings: insert with a key of A
-- An exclusion constraint across tenants reveals the bookings of others.

create table app_public.bookings (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  during tsrange not null,
  primary key (user_id, id),
  exclude using gist (during with &&)
);
alter table app_public.bookings enable row level security, force row level security;
create policy select_own on app_public.bookings for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.bookings for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.bookings for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.bookings for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (during), update (during), delete on app_public.bookings to hedgerow_tenant;
