-- expect: alter table app_public.todos
-- expect: create index todos_title_idx
set local lock_timeout = 0;
create function app_public.f() returns int language sql begin atomic select 1; end;
alter table app_public.todos add column if not exists color text;
create index todos_title_idx on app_public.todos (user_id, title);
set local lock_timeout to '2s';
alter table app_public.lists add column if not exists color text;
-- fixed:
alter table app_public.todos add column if not exists color text;
set lock_timeout = '0s';
reset lock_timeout;
create index todos_title_idx on app_public.todos (user_id, title);
