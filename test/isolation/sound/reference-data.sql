-- Read-only reference data next to tenants’ rows.

create table app_public.countries (
  code char(2) primary key check (code ~ '^[A-Z]{2}$'),
  name text not null
);
insert into app_public.countries values ('DE', 'Germany'), ('FR', 'France');
alter table app_public.countries enable row level security, force row level security;
create policy select_all on app_public.countries for select to hedgerow_tenant using (true);
grant select on app_public.countries to hedgerow_tenant;
create table app_public.addresses (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  country char(2) not null references app_public.countries,
  city text not null,
  full_text text generated always as (city) stored,
  primary key (user_id, id),
  unique (user_id, city)
);
alter table app_public.addresses enable row level security, force row level security;
create policy select_own on app_public.addresses for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.addresses for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.addresses for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.addresses for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert, update, delete on app_public.addresses to hedgerow_tenant;
