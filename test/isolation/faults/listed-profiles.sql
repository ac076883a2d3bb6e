-- Expected: app_public.profiles: select
-- Each tenant has one row, and a flag makes it visible to every tenant.

create table app_public.profiles (user_id uuid primary key default app_public.current_user_id() references app_public.users on delete cascade, bio text not null default '', listed boolean not null default false);
alter table app_public.profiles enable row level security, force row level security;
create policy own on app_public.profiles to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
create policy listed on app_public.profiles for select to hedgerow_tenant using (listed);
grant select, insert (bio, listed), update (bio, listed), delete on app_public.profiles to hedgerow_tenant;
