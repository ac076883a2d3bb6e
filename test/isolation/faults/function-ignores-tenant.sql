-- Expected: app_public.rename_note(uuid,text): call
-- A function updates any row by its key, regardless of the owner.

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
grant select, insert (id, title), delete on app_public.notes to hedgerow_tenant;
create function app_public.rename_note(note uuid, new_title text) returns void language sql volatile security definer
  set search_path = ''
  as $$ update app_public.notes set title = new_title where id = note $$;
grant execute on function app_public.rename_note(uuid, text) to hedgerow_tenant;
