-- Columns that share rows on purpose, as their comments declare.

create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  title text not null,
  shared_with uuid[] not null default '{}',
  open boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) = any (shared_with) or open);
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()));
grant select, insert (id, title, shared_with, open), update (title, shared_with, open), delete on app_public.notes to hedgerow_tenant;
comment on column app_public.notes.shared_with is '@isolation shared: the owner names who may read it';
comment on column app_public.notes.open is 'Of a note that everybody may read.
@isolation shared: the owner opens it';
