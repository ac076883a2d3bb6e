-- expect: app_public.events_2026
-- expect: app_public.events_2026_01
-- expect: app_private.notes_archive
create table app_public.events (user_id uuid, day date) partition by range (day);
alter table app_public.events enable row level security, force row level security;
create table app_public.events_2026 partition of app_public.events
  for values from ('2026-01-01') to ('2027-01-01') partition by range (day);
create table app_public.events_2026_01 partition of app_public.events_2026
  for values from ('2026-01-01') to ('2026-02-01');
alter table app_public.events_2026_01 enable row level security;
grant select on app_public.events, app_public.events_2026, app_public.events_2026_01 to hedgerow_tenant;
create table app_public.notes (user_id uuid, body text);
alter table app_public.notes enable row level security, force row level security;
create table app_private.notes_archive () inherits (app_public.notes);
grant select (body) on app_private.notes_archive to public;
-- Tenants reach this partition only through its parent.
create table app_public.events_2027 partition of app_public.events for values from ('2027-01-01') to ('2028-01-01');
-- fixed:
create table app_public.events (user_id uuid, day date) partition by range (day);
alter table app_public.events enable row level security, force row level security;
create table app_public.events_2026 partition of app_public.events for values from ('2026-01-01') to ('2027-01-01');
grant select on app_public.events to hedgerow_tenant;
create table app_public.notes (user_id uuid, body text);
alter table app_public.notes enable row level security, force row level security;
create table app_private.notes_archive () inherits (app_public.notes);
alter table app_private.notes_archive enable row level security, force row level security;
grant select on app_private.notes_archive to hedgerow_tenant;
