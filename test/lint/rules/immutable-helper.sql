-- expect: policy select_own on app_public.notes
-- expect: policy select_through on app_public.notes
create table app_public.notes (user_id uuid, id uuid);
create function app_public.my_id() returns uuid language sql immutable
  return nullif(current_setting('app.current_user_id', true), '')::uuid;
create function app_public.is_mine(owner uuid) returns boolean language sql stable return owner = app_public.my_id();
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = app_public.my_id());
create policy select_through on app_public.notes for select to hedgerow_tenant using (app_public.is_mine(user_id));
-- fixed:
create table app_public.notes (user_id uuid, id uuid);
create function app_public.my_id() returns uuid language sql stable
  return nullif(current_setting('app.current_user_id', true), '')::uuid;
create function app_public.same(a uuid, b uuid) returns boolean language sql immutable return a = b;
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (app_public.same(user_id, app_public.my_id()));
