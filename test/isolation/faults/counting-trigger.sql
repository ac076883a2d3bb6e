-- Expected: app_public.tags: insert with a key of A
-- A trigger counts the uses of a name across all tenants.

create table app_public.tags (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  uses int not null default 0,
  unique (user_id, name),
  primary key (user_id, id)
);
alter table app_public.tags enable row level security;
create policy own on app_public.tags to hedgerow_tenant
  using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, name), update (name), delete on app_public.tags to hedgerow_tenant;
create function app_private.count_uses() returns trigger language plpgsql security definer
  set search_path = ''
  as $$ begin select count(*) into new.uses from app_public.tags where name = new.name; return new; end $$;
create trigger count_uses before insert on app_public.tags for each row execute function app_private.count_uses();
