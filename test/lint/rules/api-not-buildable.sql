-- expect: app_public.moods
create type app_public.mood as enum ('glad', 'sad');
create table app_public.moods (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  mood app_public.mood not null,
  primary key (user_id, id)
);
grant select, insert (mood) on app_public.moods to hedgerow_tenant;
-- fixed:
create type app_public.feeling as enum ('glad', 'in-between', '24h');
create table app_public.moods (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  mood app_public.feeling not null,
  primary key (user_id, id)
);
grant select, insert (mood) on app_public.moods to hedgerow_tenant;
