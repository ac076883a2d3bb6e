-- Expected: app_public.notes: update
-- A trigger's update reaches the rows of all tenants.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  position int not null default 0,
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
create function app_private.move() returns trigger language plpgsql security definer
  set search_path = ''
  as $$ begin update app_public.notes set position = position + 1; return null; end $$;
create trigger move after update of title on app_public.notes for each row when (pg_trigger_depth() = 0) execute function app_private.move();
