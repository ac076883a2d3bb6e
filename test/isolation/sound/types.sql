-- All common types and checks; each table follows Hedgerow's own conventions.
create type app_public.mood as enum ('calm', 'glad', 'wild');
create type app_public.place as (street text, number int);
create domain app_public.percent as numeric(5, 2) check (value between 0 and 100);
create domain app_public.code as text check (value ~ '^[A-Z]{3}-\d{4}$') not null;
create domain app_public.short_code as app_public.code check (value like 'A%');

create table app_public.samples (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  mood app_public.mood not null,
  moods app_public.mood[] not null default '{}',
  place app_public.place,
  places app_public.place[],
  share app_public.percent not null,
  code app_public.code,
  short app_public.short_code,
  tags text[] not null check (array_length(tags, 1) >= 1),
  price numeric(8, 2) not null check (price > 0),
  discount numeric(8, 2) not null default 0,
  total numeric generated always as (price - discount) stored,
  low int not null,
  high int not null,
  email text not null check (email ~* '^[^@\s]+@[^@\s]+\.[a-z]{2,}$'),
  iban varchar(22) not null check (iban ~ '^DE\d{20}$'),
  initials char(2) not null check (initials = upper(initials)),
  profile jsonb not null check (jsonb_typeof(profile) = 'object' and profile ? 'name'),
  settings json,
  window_ tstzrange not null,
  nums int4multirange,
  days daterange[],
  span int4range check (lower(span) >= 0),
  took interval check (took > interval '0'),
  cost money,
  flags bit(4),
  bits varbit(9),
  digest bytea check (octet_length(digest) = 20),
  address inet,
  net cidr,
  mac macaddr,
  mac8 macaddr8,
  at_time time,
  at_timetz timetz,
  spot point,
  area box,
  round circle,
  shape polygon,
  way path,
  part lseg,
  edge line,
  words tsvector,
  asked tsquery,
  small smallint check (small in (3, 5, 7)),
  big bigint check (big % 7 = 0),
  ratio double precision check (ratio > 0 and ratio < 1),
  kind text not null check (kind = any (array['one', 'two'])),
  detail text,
  lsn pg_lsn,
  primary key (user_id, id),
  unique (user_id, code),
  check (low < high),
  check (discount <= price),
  check ((kind = 'one') = (detail is null))
);
create table app_public.bookings (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  room int not null,
  during tsrange not null,
  counter bigint generated always as identity,
  number serial not null,
  primary key (user_id, room, during),
  exclude using gist (during with &&) where (user_id is null)
);
create table app_public.trees (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id int not null,
  parent_id int,
  root_id int not null,
  name text not null,
  primary key (user_id, id),
  foreign key (user_id, parent_id) references app_public.trees (user_id, id),
  foreign key (user_id, root_id) references app_public.trees (user_id, id)
);
create table app_public.labels (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  primary key (user_id, id),
  unique (user_id, name)
);
create table app_public.trees_labels (
  user_id uuid not null default app_public.current_user_id(),
  tree_id int not null,
  label_id uuid not null,
  primary key (user_id, tree_id, label_id),
  foreign key (user_id, tree_id) references app_public.trees (user_id, id) on delete cascade,
  foreign key (user_id, label_id) references app_public.labels (user_id, id) on delete cascade
);
create table app_public.profiles (
  user_id uuid primary key default app_public.current_user_id() references app_public.users on delete cascade,
  bio text
);
do $$
declare
  name text;
begin
  foreach name in array array['samples', 'bookings', 'trees', 'labels', 'trees_labels', 'profiles'] loop
    execute format('alter table app_public.%I enable row level security, force row level security', name);
    execute format('create policy select_own on app_public.%I for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()))', name);
    execute format('create policy insert_own on app_public.%I for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()))', name);
    execute format('create policy update_own on app_public.%I for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (user_id = (select app_public.current_user_id()))', name);
    execute format('create policy delete_own on app_public.%I for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()))', name);
    execute format('grant select, insert, update, delete on app_public.%I to hedgerow_tenant', name);
  end loop;
end $$;
