-- Expected: app_public.notes: select
-- Only a restrictive policy for one command checks the owner; the permissive policy accepts all rows.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy everything on app_public.notes to hedgerow_tenant using (true);
create policy own_writes on app_public.notes as restrictive for update to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy own_deletes on app_public.notes as restrictive for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy own_inserts on app_public.notes as restrictive for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title), update (title), delete on app_public.notes to hedgerow_tenant;
