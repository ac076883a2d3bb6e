-- Expected: app_public.shown(): call
-- A definer function returns some rows of every tenant.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  published boolean not null default false,
  kind text not null default 'x',
  expires_at timestamptz,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, published, kind, expires_at), update (title, published, kind, expires_at), delete on app_public.notes to hedgerow_tenant;
create function app_public.shown() returns setof text language sql stable security definer set search_path = '' as $$ select title from app_public.notes where published and kind = 'news' and expires_at > now() $$;
grant execute on function app_public.shown to hedgerow_tenant;
reset role;
alter function app_public.shown owner to postgres;
set local role hedgerow_owner;
