-- expect: app_public.notes.user_id
-- expect: app_public.pages.author
create table app_public.notes (user_id uuid, id uuid);
create table app_public.pages (author uuid references app_public.users, id uuid);
create table app_private.receipts (user_id uuid, id uuid);
grant select on app_private.receipts to hedgerow_tenant;
-- fixed:
create table app_public.notes (user_id uuid references app_public.users on delete cascade, id uuid);
create table app_public.pages (author uuid references app_public.users on delete cascade, day date)
  partition by range (day);
create table app_public.pages_2026 partition of app_public.pages for values from ('2026-01-01') to ('2027-01-01');
