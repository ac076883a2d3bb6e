-- Expected: app_public.shown: select
-- A view that runs as its owner shows some rows of every tenant.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  phase text not null default 'draft',
  hidden boolean not null default true,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, phase, hidden), update (title, phase, hidden), delete on app_public.notes to hedgerow_tenant;
create view app_public.shown as select id, title from app_public.notes where phase = 'published' and not hidden;
grant select on app_public.shown to hedgerow_tenant;
reset role;
alter view app_public.shown owner to postgres;
set local role hedgerow_owner;
