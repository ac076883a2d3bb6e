-- Expected: app_public.my_notes: select by a condition that fails
-- A view that runs as its owner filters by tenant, but the caller's condition may run first.

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
create function app_private.is_me(id uuid) returns boolean language plpgsql stable cost 1000
  as $$ begin return id = app_public.current_user_id(); end $$;
grant execute on function app_private.is_me(uuid) to hedgerow_tenant;
create view app_public.my_notes as select title from app_public.notes where app_private.is_me(user_id);
grant select on app_public.my_notes to hedgerow_tenant;
