-- expect: function app_public.titles()
-- expect: function app_public.titles(text,integer)
-- expect: function app_private.check_title()
-- expect: function app_private.is_mine(uuid)
create function app_public.titles() returns setof text language sql stable
  as $$ select title from app_public.todos $$;
create function app_public.titles(beginning text, longest int default 255) returns setof text
  language plpgsql stable set work_mem = '4MB'
  as $$ begin return query select title from todos where title like beginning || '%'; end $$;
grant execute on function app_public.titles(), app_public.titles(text, int) to hedgerow_tenant;
-- A trigger and a policy call these functions.
create function app_private.check_title() returns trigger language plpgsql
  as $$ begin if new.title = lower('X') then return null; end if; return new; end $$;
create trigger check_title before insert on app_public.todos
  for each row execute function app_private.check_title();
create function app_private.is_mine(owner uuid) returns boolean language sql stable
  as $$ select owner = app_public.current_user_id() $$;
create policy more on app_public.todos as restrictive to hedgerow_tenant using (app_private.is_mine(user_id));
create function app_private.never_called() returns int language sql as $$ select 1 $$;
revoke execute on function app_private.never_called() from public;
-- fixed:
create function app_public.titles() returns setof text language sql stable
  begin atomic select title from app_public.todos; end;
create function app_public.titles(beginning text, longest int default 255) returns setof text
  language plpgsql stable set search_path = '' set work_mem = '4MB'
  as $$ begin return query select title from app_public.todos where title like beginning || '%'; end $$;
grant execute on function app_public.titles(), app_public.titles(text, int) to hedgerow_tenant;
create function app_private.check_title() returns trigger language plpgsql set search_path = pg_catalog, pg_temp
  as $$ begin if new.title = lower('X') then return null; end if; return new; end $$;
create trigger check_title before insert on app_public.todos
  for each row execute function app_private.check_title();
