-- Removes the example: lists and todos, projects and tasks. docs/dba.md, "Start without the example", says which files go
-- with it.
set local lock_timeout = '1s';
drop function if exists app_public.search_todos(text), app_public.search_tasks(text);
drop table if exists app_public.todos, app_public.lists, app_public.tasks, app_public.projects;
