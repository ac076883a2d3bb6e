-- expect: function app_public.become(uuid)
-- expect: function app_public.become(uuid,boolean)
-- expect: function app_public.configure(text,text)
-- expect: function app_private."As Sign-in"()
-- expect: function app_private.give_up()
-- expect: function app_private.as_user_0()
create function app_public.become(tenant uuid) returns text language sql
  begin atomic select set_config('app.current_user_id', tenant::text, true); end;
create function app_public.become(tenant uuid, really boolean default true) returns void language plpgsql set search_path = ''
  as $$ begin execute 'SET LOCAL app.current_user_id = ' || pg_catalog.quote_literal(tenant); end $$;
create function app_public.configure(name text, value text) returns text language sql
  begin atomic select set_config(name, value, true); end;
create procedure app_private."As Sign-in"() language plpgsql set search_path = '' as $$ begin set role hedgerow_auth; end $$;
create function app_private.give_up() returns void language plpgsql set search_path = '' as $$ begin reset role; end $$;
create function app_private.as_user_0() returns bigint language sql set app.current_user_id = '0'
  as $$ select count(*) from app_public.todos $$;
-- fixed:
create table app_private.members (id uuid, role text);
create function app_public.whoami() returns text language sql stable
  begin atomic select current_setting('app.current_user_id', true) || current_user || app_public.current_user_id(); end;
create function app_private.promote(member uuid) returns void language plpgsql set search_path = ''
  as $$ begin update app_private.members set role = 'admin' where id = member; end $$;
create function app_private.without_jit() returns text language sql
  begin atomic select set_config('jit', 'off', true); end;
