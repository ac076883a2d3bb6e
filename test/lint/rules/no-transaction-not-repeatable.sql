--! no-transaction
-- expect: create index todos_title_idx
-- expect: alter type app_public.color
-- expect: drop index app_public.todos_title_idx
create index concurrently todos_title_idx on app_public.todos (user_id, title);
alter type app_public.color add value 'green';
drop index concurrently app_public.todos_title_idx;
-- fixed:
--! no-transaction
create index concurrently if not exists todos_title_idx on app_public.todos (user_id, title);
alter type app_public.color add value if not exists 'green';
drop index concurrently if exists app_public.todos_title_idx;
create or replace function app_public.f() returns int language sql begin atomic select 1; end;
alter table app_public.todos set (fillfactor = 90);
