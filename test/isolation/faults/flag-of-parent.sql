-- Expected: app_public.notes: select
-- A definer function reads a flag of the parent row.

create table app_public.books (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  shared boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.books enable row level security, force row level security;
create policy select_own on app_public.books for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.books for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.books for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.books for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, shared), update (title, shared), delete on app_public.books to hedgerow_tenant;
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  book_id uuid not null,
  primary key (user_id, id),
 foreign key (user_id, book_id) references app_public.books (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create function app_private.is_open(o uuid, b uuid) returns boolean language sql stable security definer set search_path = '' as $$ select shared from app_public.books where user_id = o and id = b $$;
grant usage on schema app_private to hedgerow_tenant; grant execute on function app_private.is_open to hedgerow_tenant;reset role;
alter function app_private.is_open owner to postgres;
set local role hedgerow_owner;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) or app_private.is_open(user_id, book_id));
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, book_id), update (title, book_id), delete on app_public.notes to hedgerow_tenant;
