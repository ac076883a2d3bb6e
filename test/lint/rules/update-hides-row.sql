-- expect: policy select_own on app_public.notes
create table app_public.notes (user_id uuid primary key, title text, deleted_at timestamptz, hidden boolean not null);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and deleted_at is null and not hidden);
create policy update_own on app_public.notes for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and not hidden);
grant select, update (title, deleted_at) on app_public.notes to hedgerow_tenant;
-- fixed:
create table app_public.notes (user_id uuid primary key, title text, deleted_at timestamptz, hidden boolean not null);
alter table app_public.notes enable row level security, force row level security;
-- Nobody may hide a row, and deleted rows remain visible.
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and not hidden);
create policy update_own on app_public.notes for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, update (title, deleted_at) on app_public.notes to hedgerow_tenant;
-- The update policy repeats the condition, so the rejection is intended.
create table app_public.memos (user_id uuid primary key, deleted_at timestamptz);
create policy select_own on app_public.memos for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and deleted_at is null);
create policy update_own on app_public.memos for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()) and deleted_at is null);
grant select, update (deleted_at) on app_public.memos to hedgerow_tenant;
