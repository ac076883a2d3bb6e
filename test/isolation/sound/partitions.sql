-- Partitioned tables by range, list and hash, without grants on their partitions.

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
alter table app_public.events_old enable row level security, force row level security;
alter table app_public.events_2031 enable row level security, force row level security;
create policy select_own on app_public.events for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.events for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.events for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.events for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update, delete on app_public.events to hedgerow_tenant;
create table app_public.areas (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id int not null,
  region text not null,
  primary key (user_id, id, region)
) partition by list (region);
create table app_public.areas_north partition of app_public.areas for values in ('north', 'west');
create table app_public.areas_rest partition of app_public.areas default;
alter table app_public.areas enable row level security, force row level security;
alter table app_public.areas_north enable row level security, force row level security;
alter table app_public.areas_rest enable row level security, force row level security;
create policy select_own on app_public.areas for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.areas for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.areas for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.areas for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update, delete on app_public.areas to hedgerow_tenant;
create table app_public.logs (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id int not null,
  line text,
  primary key (user_id, id)
) partition by hash (user_id);
create table app_public.logs_0 partition of app_public.logs for values with (modulus 2, remainder 0);
create table app_public.logs_1 partition of app_public.logs for values with (modulus 2, remainder 1);
alter table app_public.logs enable row level security, force row level security;
alter table app_public.logs_0 enable row level security, force row level security;
alter table app_public.logs_1 enable row level security, force row level security;
create policy select_own on app_public.logs for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.logs for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.logs for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.logs for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update, delete on app_public.logs to hedgerow_tenant;
