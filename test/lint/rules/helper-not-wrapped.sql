-- expect: policy select_own on app_public.notes
-- expect: policy delete_own on app_public.notes
-- expect: policy update_own on app_public.notes
-- expect: policy insert_own on app_public.notes
-- expect: policy select_listed on app_public.notes
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

create function app_private.is_mine(owner uuid) returns boolean language sql stable
  begin atomic select owner = app_public.current_user_id(); end;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = app_public.current_user_id());
create policy delete_own on app_public.notes for delete to hedgerow_tenant
  using (user_id = nullif(current_setting('app.current_user_id', true), '')::uuid);
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (app_private.is_mine(user_id));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (app_public.current_user_id() in (select user_id));
-- Calls in a correlated subquery, which runs for every row.
create policy select_listed on app_public.notes for select to hedgerow_tenant
  using (exists (select from app_public.lists l where l.id = list_id and l.user_id = app_public.current_user_id()));
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
create policy delete_own on app_public.notes for delete to hedgerow_tenant
  using (user_id = (select nullif(current_setting('app.current_user_id', true), '')::uuid));
create policy update_own on app_public.notes for update to hedgerow_tenant
  using (user_id in (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (list_id in (select l.id from app_public.lists l where l.user_id = app_public.current_user_id()));
create policy select_listed on app_public.notes for select to hedgerow_tenant
  using (exists (select from app_public.lists l where l.id = list_id and l.user_id = (select app_public.current_user_id())));
create policy select_auth on app_public.notes for select to hedgerow_auth using (now() > '2000-01-01');
