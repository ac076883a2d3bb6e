-- Two tables that reference each other, with one row per tenant.

create table app_public.heads (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id int not null,
  body_id int,
  primary key (user_id, id)
);
create table app_public.bodies (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id int not null,
  head_id int not null,
  primary key (user_id, id),
  foreign key (user_id, head_id) references app_public.heads (user_id, id) on delete cascade
);
alter table app_public.heads add foreign key (user_id, body_id) references app_public.bodies (user_id, id) on delete set null (body_id);
create table app_public.preferences (
  user_id uuid primary key default app_public.current_user_id() references app_public.users on delete cascade,
  theme text not null default 'dark' check (theme in ('dark', 'light'))
);
alter table app_public.heads enable row level security, force row level security;
create policy select_own on app_public.heads for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.heads for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.heads for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.heads for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update, delete on app_public.heads to hedgerow_tenant;
alter table app_public.bodies enable row level security, force row level security;
create policy select_own on app_public.bodies for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.bodies for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.bodies for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.bodies for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update, delete on app_public.bodies to hedgerow_tenant;
alter table app_public.preferences enable row level security, force row level security;
create policy select_own on app_public.preferences for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.preferences for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.preferences for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.preferences for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update, delete on app_public.preferences to hedgerow_tenant;
