-- expect: policy select_own on app_public.documents
create table app_public.documents (organization_id uuid, id uuid);
create policy select_own on app_public.documents for select to hedgerow_tenant using (exists (
  select from app_public.organization_members m
  where m.organization_id = organization_id and m.user_id = (select app_public.current_user_id())
));
-- fixed:
create table app_public.documents (organization_id uuid, id uuid);
create policy select_own on app_public.documents for select to hedgerow_tenant using (exists (
  select from app_public.organization_members m
  where m.organization_id = documents.organization_id and m.user_id = (select app_public.current_user_id())
));
