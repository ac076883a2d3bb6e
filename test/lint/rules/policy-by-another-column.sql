-- expect: policy select_own on app_public.notes
-- expect: policy select_shared on app_public.notes
-- expect: policy update_shared on app_public.notes
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid,
  reviewer_id uuid,
  readers uuid[]
);
comment on column app_public.notes.readers is '@isolation shared: the owner names the readers';
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (reviewer_id = (select app_public.current_user_id()));
create policy select_shared on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) or id = (select app_public.current_user_id()));
-- Sharing lets others read.
create policy update_shared on app_public.notes for update to hedgerow_tenant
  using ((select app_public.current_user_id()) = any (readers));
-- fixed:
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid,
  reviewer_id uuid,
  readers uuid[]
);
comment on column app_public.notes.readers is '@isolation shared: the owner names the readers';
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and reviewer_id = (select app_public.current_user_id()));
create policy select_shared on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) = any (readers));
create policy update_shared on app_public.notes for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
