-- expect: rule keep_deleted on app_public.todos
-- expect: rule "On Insert" on app_public.titles
create rule keep_deleted as on delete to app_public.todos do also
  insert into app_public.lists (user_id, name) values (old.user_id, old.title);
create view app_public.titles with (security_invoker = true) as select user_id, title from app_public.todos;
create rule "On Insert" as on insert to app_public.titles do instead
  insert into app_public.todos (user_id, title) values (new.user_id, new.title);
create table app_private.not_for_tenants (id uuid);
create rule nothing as on delete to app_private.not_for_tenants do instead nothing;
-- fixed:
create function app_private.keep_deleted() returns trigger language plpgsql set search_path = ''
  as $$ begin insert into app_public.lists (name) values (old.title); return null; end $$;
create trigger keep_deleted after delete on app_public.todos
  for each row execute function app_private.keep_deleted();
