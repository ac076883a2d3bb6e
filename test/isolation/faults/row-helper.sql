-- Expected: app_public.notes: select
-- The policy calls a function that takes the row and reads one of its values.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  audience text not null default 'me',
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create function app_private.visible(note app_public.notes) returns boolean language sql stable set search_path = '' as $$ select note.user_id = app_public.current_user_id() or note.audience = 'everyone' $$;
grant execute on function app_private.visible to hedgerow_tenant;
grant usage on schema app_private to hedgerow_tenant;
create policy select_own on app_public.notes for select to hedgerow_tenant using (app_private.visible(notes));
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, audience), update (title, audience), delete on app_public.notes to hedgerow_tenant;
