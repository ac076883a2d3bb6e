-- expect: app_public.countries
-- expect: app_private.prices
-- expect: app_public.items
create table app_public.countries (code text primary key);
create table app_private.prices (plan text primary key, amount numeric);
grant select on app_private.prices to hedgerow_tenant;
-- The policy reads the parent, so no column of the table identifies the tenant.
create table app_public.items (id uuid, list_id uuid);
create policy select_own on app_public.items for select to hedgerow_tenant using (exists (
  select from app_public.lists l where l.id = list_id and l.user_id = (select app_public.current_user_id())
));
-- fixed:
create table app_public.items (user_id uuid, id uuid, list_id uuid);
create table app_public.cards (id uuid, holder uuid);
create policy select_own on app_public.cards for select to hedgerow_tenant
  using (id is not null and (select app_public.current_user_id()) = holder);
create table app_public.pets (id uuid, "The Keeper" uuid);
create policy insert_own on app_public.pets for insert to hedgerow_tenant
  with check ("The Keeper" = app_public.current_user_id());
create table app_private.prices (plan text primary key, amount numeric);
