-- Expected: app_public.notes: insert as A
-- The check of a policy for all commands only requires an owner.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy own on app_public.notes to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id is not null);
grant select, insert, update, delete on app_public.notes to hedgerow_tenant;
