-- expect: app_public.notes
-- expect: app_private."Odd Name"
-- expect: app_private.pages
create table app_public.notes (user_id uuid, id uuid not null unique);
create table app_private."Odd Name" (id uuid);
create table app_private.pages (id uuid) partition by hash (id);
create table app_private.pages_0 partition of app_private.pages for values with (modulus 1, remainder 0);
-- fixed:
create table app_public.notes (user_id uuid, id uuid, primary key (user_id, id));
create table app_private.pages (id uuid primary key) partition by hash (id);
create table app_private.pages_0 partition of app_private.pages for values with (modulus 1, remainder 0);
