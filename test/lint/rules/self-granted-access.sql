-- expect: policy insert_own on app_public.watchers
-- expect: policy update_own on app_public.watchers
create table app_public.watchers (
  organization_id uuid references app_public.organizations,
  user_id uuid references app_public.users,
  role text,
  muted boolean,
  primary key (organization_id, user_id)
);
create table app_public.documents (organization_id uuid, id uuid);
create policy select_own on app_public.documents for select to hedgerow_tenant using (exists (
  select from app_public.watchers w
  where w.organization_id = documents.organization_id and w.user_id = (select app_public.current_user_id())
    and w.role = 'reader'
));
create policy insert_own on app_public.watchers for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.watchers for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update on app_public.watchers to hedgerow_tenant;
-- fixed:
create table app_public.watchers (
  organization_id uuid references app_public.organizations,
  user_id uuid references app_public.users,
  role text,
  muted boolean,
  primary key (organization_id, user_id)
);
create table app_public.documents (organization_id uuid, id uuid);
create policy select_own on app_public.documents for select to hedgerow_tenant using (exists (
  select from app_public.watchers w
  where w.organization_id = documents.organization_id and w.user_id = (select app_public.current_user_id())
    and w.role = 'reader'
));
create policy insert_own on app_public.watchers for insert to hedgerow_tenant with check (exists (
  select from app_public.organization_members m
  where m.organization_id = watchers.organization_id and m.user_id = (select app_public.current_user_id())
));
create policy update_own on app_public.watchers for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update (muted) on app_public.watchers to hedgerow_tenant;
