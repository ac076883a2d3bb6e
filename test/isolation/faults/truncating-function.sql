-- Expected: app_public.empty_notes(): call
-- A function of the owner truncates the table. TRUNCATE counts no deleted row.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
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
create function app_public.empty_notes() returns void language sql volatile security definer set search_path = ''
  as $$ truncate app_public.notes $$;
grant execute on function app_public.empty_notes() to hedgerow_tenant;
