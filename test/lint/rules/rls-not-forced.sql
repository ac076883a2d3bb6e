-- expect: app_public.notes
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security;
-- fixed:
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
