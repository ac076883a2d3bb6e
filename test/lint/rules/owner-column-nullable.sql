-- expect: app_public.notes.user_id
create table app_public.notes (user_id uuid default app_public.current_user_id(), id uuid, body text);
grant insert (id, body) on app_public.notes to hedgerow_tenant;
create table app_public.only_read (user_id uuid, id uuid);
grant select on app_public.only_read to hedgerow_tenant;
-- fixed:
create table app_public.notes (user_id uuid not null default app_public.current_user_id(), id uuid, body text);
grant insert (id, body) on app_public.notes to hedgerow_tenant;
