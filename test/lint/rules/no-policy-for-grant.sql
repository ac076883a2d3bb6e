-- expect: app_public.notes
-- expect: app_public.memos
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;

create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
-- A restrictive policy and a policy for another role allow tenants nothing.
create policy update_own on app_public.notes as restrictive for update to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy delete_auth on app_public.notes for delete to hedgerow_auth using (true);
grant select, update (title), delete on app_public.notes to hedgerow_tenant;
create table app_public.memos (user_id uuid primary key);
alter table app_public.memos enable row level security, force row level security;
grant insert on app_public.memos to public;
-- fixed:
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;

create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, update (title) on app_public.notes to hedgerow_tenant;
create table app_public.memos (user_id uuid primary key);
alter table app_public.memos enable row level security, force row level security;
create policy all_own on app_public.memos to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
grant insert on app_public.memos to hedgerow_tenant;
