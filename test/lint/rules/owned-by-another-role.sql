-- expect: app_public.notes
-- expect: app_public.titles
-- expect: function app_public.greet()
-- expect: schema app_shared
set local role hedgerow_owner;
create table app_public.notes (id uuid);
create view app_public.titles as select title from app_public.todos;
reset role;
alter table app_public.notes owner to hedgerow_tenant;
alter view app_public.titles owner to current_user;
create function app_public.greet() returns text language sql return 'Hello';
create schema app_shared;
-- fixed:
create table app_public.notes (id uuid);
alter table app_public.notes owner to hedgerow_owner;
create schema app_shared authorization hedgerow_owner;
set local role hedgerow_owner;
create function app_public.greet() returns text language sql return 'Hello';
