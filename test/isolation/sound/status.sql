-- A phase and a flag that open no rows to other tenants.

create type app_public.phase as enum ('draft', 'published');
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  phase app_public.phase not null default 'draft',
  shared boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and (phase = 'published' or not shared or shared));
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and (shared or phase = 'draft'));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and phase = 'draft') with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, phase, shared), update (title, phase, shared), delete on app_public.notes to hedgerow_tenant;
