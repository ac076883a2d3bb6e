-- Removes the example of lists and todos. docs/dba.md, "Start without the example", says which files go with it.
set local lock_timeout = '1s';
drop function if exists app_public.search_todos(text);
drop table if exists app_public.todos;
drop table if exists app_public.lists;
