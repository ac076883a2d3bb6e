-- expect: function app_public.greet(text)
-- expect: function app_public."Greet Twice"(text,text)
-- expect: function app_public.longest(text)
-- Default privileges belong to the role that creates the function.
alter default privileges grant execute on functions to public;
create function app_public.greet(name text) returns text language sql immutable return 'Hello ' || name;
create function app_public.greet(first text, last text) returns text language sql immutable return 'Hello ' || first;
revoke execute on function app_public.greet(text, text) from public;
create procedure app_public."Greet Twice"(name text, inout greeting text default '') language sql
  as $$ select 'Hello ' || name $$;
create aggregate app_public.longest(text) (sfunc = textcat, stype = text);
-- fixed:
alter default privileges revoke execute on functions from public;
create function app_public.greet(name text) returns text language sql immutable return 'Hello ' || name;
grant execute on function app_public.greet(text) to hedgerow_tenant;
