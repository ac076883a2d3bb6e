-- expect: policy update_own on app_public.notes
-- expect: policy all_own on app_public.notes
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

create policy update_own on app_public.notes for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and not hidden)
  with check (not hidden);
create policy all_own on app_public.notes to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (shared_with = (select app_public.current_user_id()));
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

create policy update_own on app_public.notes for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (title <> '' and (user_id = (SELECT app_public.current_user_id())));
create policy all_own on app_public.notes to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (true);
