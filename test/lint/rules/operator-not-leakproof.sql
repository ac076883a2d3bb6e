-- expect: policy select_own on app_public.notes
-- expect: policy delete_own on app_public.notes
-- expect: policy update_own on app_public.notes
-- expect: policy insert_own on app_public.notes
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

create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and title like 'a%');
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and title::uuid = user_id);
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and lower(title) = 'a');
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (exists (select from app_public.lists l where l.user_id = (select app_public.current_user_id()) and l.name ~ title));
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

create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and title = 'a' and not hidden);
create policy delete_own on app_public.notes for delete to hedgerow_tenant
  using (user_id = (select nullif(current_setting('app.current_user_id', true), '')::uuid));
-- Policies already filter the rows of the subquery.
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (list_id in (select l.id from app_public.lists l where l.name like 'a%'));
create policy select_auth on app_public.notes for select to hedgerow_auth using (title like 'a%');
