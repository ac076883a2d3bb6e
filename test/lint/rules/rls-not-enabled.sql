-- expect: app_public.notes
-- expect: app_private.notes
create table app_public.notes (user_id uuid not null, id uuid not null, primary key (user_id, id));
grant select on app_public.notes to hedgerow_tenant;
create table app_private.notes (user_id uuid not null, body text not null);
grant update (body) on app_private.notes to hedgerow_tenant;
create table app_private.not_for_tenants (id uuid primary key);
-- fixed:
create table app_public.notes (user_id uuid not null, id uuid not null, primary key (user_id, id));
grant select on app_public.notes to hedgerow_tenant;
alter table app_public.notes enable row level security, force row level security;
create table app_private.notes (user_id uuid not null, body text not null);
grant update (body) on app_private.notes to hedgerow_tenant;
alter table app_private.notes enable row level security, force row level security;
