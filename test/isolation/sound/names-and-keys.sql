-- Unusual names, keys other than uuid, cycles of deferred references, writable views, and procedures.

create extension btree_gist with schema app_search;
create domain app_public.tenant as uuid;

create table app_public."Order" (
  "owner Id" app_public.tenant not null default app_public.current_user_id() references app_public.users on delete cascade,
  "select" bigint generated always as identity,
  "it's" text not null check ("it's" <> 'no'),
  "Total ""net""" numeric(10, 2) not null default 0,
  primary key ("owner Id", "select")
);
create table app_public.rooms (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  number smallint not null check (number between 1 and 40),
  parity text generated always as (case when number % 2 = 0 then 'even' else 'odd' end) stored,
  primary key (user_id, number)
);
create table app_public.stays (
  user_id uuid not null default app_public.current_user_id(),
  room smallint not null,
  during daterange not null check (not isempty(during)),
  guests text[] not null check (cardinality(guests) between 1 and 4),
  foreign key (user_id, room) references app_public.rooms on update cascade on delete cascade,
  exclude using gist (user_id app_search.gist_uuid_ops with operator(pg_catalog.=), room app_search.gist_int2_ops with operator(pg_catalog.=), during with operator(pg_catalog.&&))
);
create table app_public.chickens (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id int not null,
  egg_id int not null,
  primary key (user_id, id)
);
create table app_public.eggs (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id int not null,
  chicken_id int not null,
  primary key (user_id, id),
  foreign key (user_id, chicken_id) references app_public.chickens deferrable initially deferred
);
alter table app_public.chickens add foreign key (user_id, egg_id) references app_public.eggs deferrable initially deferred;
create table app_public.contacts (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  phone text,
  email text,
  born date check (born > date '1900-01-01'),
  starts_on date not null,
  ends_on date not null,
  level text not null default 'low' check (level in ('low', 'high')),
  score int not null,
  country text not null check (country ~ '^[A-Z]{2}$'),
  url text check (url like 'https://%'),
  primary key (user_id, id),
  unique nulls not distinct (user_id, phone),
  check (num_nonnulls(phone, email) >= 1),
  check (starts_on < ends_on and ends_on - starts_on <= 30),
  check (case level when 'low' then score between 0 and 10 else score between 90 and 100 end)
);
create index on app_public.contacts (user_id, lower(email));
create unique index on app_public.contacts (user_id, lower(email)) where level = 'high';

do $$
declare
  name text;
  owner text;
begin
  foreach name in array array['Order', 'rooms', 'stays', 'chickens', 'eggs', 'contacts'] loop
    owner := case name when 'Order' then '"owner Id"' else 'user_id' end;
    execute format('alter table app_public.%I enable row level security, force row level security', name);
    execute format('create policy own on app_public.%I to hedgerow_tenant using (%s = (select app_public.current_user_id())) with check (%s = (select app_public.current_user_id()))', name, owner, owner);
    execute format('grant select, insert, update, delete on app_public.%I to hedgerow_tenant', name);
  end loop;
end $$;

create view app_public.high_contacts with (security_invoker = true, security_barrier = true) as
  select id, email, level, score from app_public.contacts where level = 'high' with check option;
grant select, insert, update, delete on app_public.high_contacts to hedgerow_tenant;
create view app_public.room_use with (security_invoker = true) as
  select r.number, count(s.room) as stays from app_public.rooms r left join app_public.stays s on s.user_id = r.user_id and s.room = r.number group by r.number;
grant select on app_public.room_use to hedgerow_tenant;

create function app_public.contact_line(contact app_public.contacts) returns text language sql stable
  as $$ select contact.email || ' ' || contact.country $$;
create function app_public.add_contact(fields jsonb, tags text[] default '{}') returns uuid language sql volatile
  as $$ insert into app_public.contacts (phone, email, starts_on, ends_on, score, country)
    select fields ->> 'phone', 'x', date '2020-01-01', date '2020-01-02', 5, 'DE' returning id $$;
create procedure app_public.forget(contact uuid) language plpgsql
  as $$ begin delete from app_public.contacts where id = contact; end $$;
create function app_public.find(query text) returns setof app_public.contacts language plpgsql stable
  as $$ begin return query execute 'select * from app_public.contacts where email like $1' using query || '%'; end $$;
grant execute on function app_public.contact_line(app_public.contacts), app_public.add_contact(jsonb, text[]), app_public.find(text) to hedgerow_tenant;
grant execute on procedure app_public.forget(uuid) to hedgerow_tenant;
