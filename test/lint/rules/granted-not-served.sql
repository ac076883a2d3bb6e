-- expect: function app_public.next_number(integer)
-- expect: function app_public.next_number(text)
-- expect: app_public.notes
-- expect: app_public.notes.position
create table app_public.notes (user_id uuid not null, title text, position pg_lsn);
grant select, insert (title), update (title), delete on app_public.notes to hedgerow_tenant;
create function app_public.next_number(number int) returns int language sql immutable return number + 1;
create function app_public.next_number(number text) returns int language sql immutable return number::int + 1;
grant execute on function app_public.next_number(int), app_public.next_number(text) to hedgerow_tenant;
-- fixed:
create table app_public.notes (user_id uuid not null, id uuid not null, title text, position text, primary key (user_id, id));
grant select, insert (title), update (title), delete on app_public.notes to hedgerow_tenant;
create function app_public.next_number(number int) returns int language sql immutable return number + 1;
create function app_public.next_number_of(number text) returns int language sql immutable return number::int + 1;
grant execute on function app_public.next_number(int), app_public.next_number_of(text) to hedgerow_tenant;
