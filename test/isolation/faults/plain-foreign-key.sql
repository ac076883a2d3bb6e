-- Expected: app_public.pages: attach to A's row
-- A foreign key to books (id) alone accepts a book that the tenant cannot see.

create table app_public.books (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid() unique,
  name text not null,
  primary key (user_id, id)
);
alter table app_public.books enable row level security, force row level security;
create policy select_own on app_public.books for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.books for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.books for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.books for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (name), update (name), delete on app_public.books to hedgerow_tenant;
create table app_public.pages (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  book_id uuid references app_public.books (id) on delete cascade,
  body text not null,
  primary key (user_id, id)
);
alter table app_public.pages enable row level security, force row level security;
create policy select_own on app_public.pages for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.pages for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.pages for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.pages for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (book_id, body), update (book_id, body), delete on app_public.pages to hedgerow_tenant;
