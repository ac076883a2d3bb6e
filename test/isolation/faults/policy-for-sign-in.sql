-- Expected: app_public.notes: select in another role
-- The role for sign-in can read a tenants' table.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy own on app_public.notes to hedgerow_tenant
  using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title), update (title), delete on app_public.notes to hedgerow_tenant;
create policy select_auth on app_public.notes for select to hedgerow_auth using (true);
grant select on app_public.notes to hedgerow_auth;
