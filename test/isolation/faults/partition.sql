-- Expected: app_public.events_2031: select
-- Only the partitioned table has policies; tenants can read its partition directly.

create table app_public.events (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  happened date not null,
  what text not null,
  primary key (user_id, id, happened)
) partition by range (happened);
create table app_public.events_old partition of app_public.events for values from (minvalue) to ('2031-01-01');
create table app_public.events_2031 partition of app_public.events for values from ('2031-01-01') to (maxvalue);
alter table app_public.events enable row level security, force row level security;
create policy select_own on app_public.events for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.events for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.events for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.events for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (happened, what), update (what), delete on app_public.events to hedgerow_tenant;
alter table app_public.events_old enable row level security, force row level security;
grant select on app_public.events_2031 to hedgerow_tenant;
