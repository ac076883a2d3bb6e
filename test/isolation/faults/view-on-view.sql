-- Expected: app_public.overview: select
-- The outer view has security_invoker, but the inner view lacks it.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.notes for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (id, title), update (title), delete on app_public.notes to hedgerow_tenant;
create view app_private.numbers as select length(title) as letters from app_public.notes;
create view app_public.overview with (security_invoker = true) as select sum(letters) as letters from app_private.numbers;
grant usage on schema app_private to hedgerow_tenant;
grant select on app_private.numbers, app_public.overview to hedgerow_tenant;
