-- Expected: app_public.notes: what B sees after A's own insert
-- A trigger copies each tenant's rows into every tenant's feed.

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
create table app_public.feed (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.feed enable row level security;
create policy select_own on app_public.feed for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select on app_public.feed to hedgerow_tenant;
create function app_private.publish() returns trigger language plpgsql security definer
  set search_path = ''
  as $$
begin
  insert into app_public.feed (user_id, title) select u.id, new.title from app_public.users u;
  return null;
end $$;
create policy select_owner on app_public.users for select to hedgerow_owner using (true);
create trigger publish after insert on app_public.notes for each row execute function app_private.publish();
