-- Expected: app_public.notes: what B sees
-- When a row is published, a trigger copies it to a table that every tenant reads.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  phase text not null default 'draft',
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, phase), update (title, phase), delete on app_public.notes to hedgerow_tenant;
create table app_public.feed (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  primary key (user_id, id)
);
alter table app_public.feed enable row level security, force row level security;
create policy select_own on app_public.feed for select to hedgerow_tenant using (true);
create policy delete_own on app_public.feed for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.feed for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.feed for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select on app_public.feed to hedgerow_tenant;
create function app_private.publish() returns trigger language plpgsql security definer set search_path = '' as $$ begin
 if new.phase = 'published' and old.phase <> 'published' then insert into app_public.feed (user_id, title) values (new.user_id, new.title); end if; return null; end $$;
create trigger publish after update on app_public.notes for each row execute function app_private.publish();
reset role;
alter function app_private.publish owner to postgres;
set local role hedgerow_owner;
