-- expect: constraint rooms_pkey on app_public.rooms
-- expect: constraint rooms_slug_key on app_public.rooms
-- expect: constraint rooms_taken_excl on app_public.rooms
-- expect: constraint "Not The Same" on app_public.rooms
-- expect: index rooms_lower_name_idx on app_public.rooms
-- expect: index rooms_state_idx on app_public.rooms
-- expect: index rooms_badge_idx on app_public.rooms
-- expect: index rooms_words_idx on app_public.rooms
-- expect: constraint bookings_pkey on app_public.bookings
create extension btree_gist;
create domain app_public.slug as text check (value ~ '^[a-z]+$');
create table app_public.rooms (
  user_id uuid not null default app_public.current_user_id(),
  id uuid primary key,
  slug app_public.slug,
  name text,
  state text,
  badge uuid default gen_random_uuid(),
  words text generated always as (upper(name)) stored,
  taken tstzrange,
  constraint rooms_slug_key unique nulls not distinct (slug) include (user_id) deferrable initially deferred,
  constraint rooms_taken_excl exclude using gist (slug with =, taken with &&),
  -- The constraint includes the owner, but compares rows with different owners.
  constraint "Not The Same" exclude using gist (user_id with <>, taken with &&),
  constraint within_tenant exclude using gist (taken with &&, user_id with =),
  unique (name, user_id)
);
create unique index rooms_lower_name_idx on app_public.rooms (lower(name), slug);
create unique index rooms_state_idx on app_public.rooms (badge) where state = 'open';
create unique index rooms_words_idx on app_public.rooms (words);
-- Tenants can write none of these columns except state, which is in the predicate of the index.
create unique index rooms_badge_known_idx on app_public.rooms (badge);
-- An expression on the owner column does not separate tenants.
create unique index rooms_badge_idx on app_public.rooms (left(user_id::text, 1), name);
grant select, insert (id, slug, name, state, taken), update (name) on app_public.rooms to hedgerow_tenant;
create table app_public.bookings (user_id uuid, day date, room int, primary key (day, room)) partition by range (day);
create table app_public.bookings_2026 partition of app_public.bookings for values from ('2026-01-01') to ('2027-01-01');
grant insert (day, room) on app_public.bookings, app_public.bookings_2026 to hedgerow_tenant;
create table app_private.not_for_tenants (user_id uuid, name text unique);
-- fixed:
create extension btree_gist;
create table app_public.rooms (
  user_id uuid not null default app_public.current_user_id(),
  id uuid,
  slug text,
  badge uuid unique default gen_random_uuid(),
  taken tstzrange,
  primary key (user_id, id),
  unique nulls not distinct (user_id, slug),
  exclude using gist (user_id with =, slug with =, taken with &&)
);
create unique index rooms_lower_slug_idx on app_public.rooms (user_id, lower(slug)) where slug <> '';
grant select, insert (id, slug, taken) on app_public.rooms to hedgerow_tenant;
create table app_public.bookings (user_id uuid, day date, room int, primary key (user_id, day, room))
  partition by range (day);
create table app_public.bookings_2026 partition of app_public.bookings for values from ('2026-01-01') to ('2027-01-01');
grant insert (day, room) on app_public.bookings, app_public.bookings_2026 to hedgerow_tenant;
