-- Expected: app_public.words(): call
-- A definer function reads a table that tenants cannot reach.

create table app_private.secrets (user_id uuid not null references app_public.users, id uuid primary key default gen_random_uuid(), word text not null, open boolean not null default false);
create function app_public.words() returns setof text language sql stable security definer set search_path = '' as $$ select word from app_private.secrets where open $$;
grant execute on function app_public.words to hedgerow_tenant;
