-- expect: app_public.notes.user_id
-- expect: app_public.pages.author
create table app_public.notes (user_id uuid, id uuid primary key, archived boolean);
create index on app_public.notes (id, user_id);
create index on app_public.notes (user_id) where archived;
create table app_public.pages (author uuid references app_public.users, day date) partition by range (day);
create table app_public.pages_2026 partition of app_public.pages for values from ('2026-01-01') to ('2027-01-01');
create index on app_public.pages_2026 (author);
-- fixed:
create table app_public.notes (user_id uuid, id uuid, primary key (user_id, id));
create table app_public.pages (author uuid references app_public.users, day date) partition by range (day);
create table app_public.pages_2026 partition of app_public.pages for values from ('2026-01-01') to ('2027-01-01');
create index on app_public.pages (author);
