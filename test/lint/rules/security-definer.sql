-- expect: function app_public.count_todos()
-- expect: function app_public.count_todos(uuid,integer)
-- expect: function app_private."Archive"(app_public.todos)
create function app_public.count_todos() returns bigint language sql stable security definer
  begin atomic select count(*) from app_public.todos; end;
create function app_public.count_todos(list uuid, at_least int default 0) returns bigint
  language sql stable security definer
  begin atomic select count(*) from app_public.todos where list_id = list and priority >= at_least; end;
create procedure app_private."Archive"(todo app_public.todos) language sql security definer set search_path = ''
  as $$ delete from app_public.todos where id = todo.id $$;
-- fixed:
create function app_public.count_todos() returns bigint language sql stable
  begin atomic select count(*) from app_public.todos; end;
create procedure app_private."Archive"(todo app_public.todos) language sql security invoker set search_path = ''
  as $$ delete from app_public.todos where id = todo.id $$;
