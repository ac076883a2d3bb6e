-- Expected: app_public.members: select
-- A policy checks membership but does not compare the team.

create table app_public.teams (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  name text not null
);
create table app_public.members (
  team_id uuid not null references app_public.teams on delete cascade,
  name text not null,
  primary key (team_id, name)
);
alter table app_public.teams enable row level security, force row level security;
alter table app_public.members enable row level security, force row level security;
create policy select_own on app_public.teams for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.teams for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.teams for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.teams for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (name), update (name), delete on app_public.teams to hedgerow_tenant;
create policy select_own on app_public.members for select to hedgerow_tenant
  using (exists (select from app_public.teams t where t.user_id = (select app_public.current_user_id())));
grant select on app_public.members to hedgerow_tenant;
