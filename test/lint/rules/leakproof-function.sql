-- expect: function app_public.resembles(text,text)
create function app_public.resembles(a text, b text) returns boolean language plpgsql immutable leakproof
  set search_path = ''
  as $$ begin raise notice '%', a; return a = b; end $$;
-- fixed:
create function app_public.resembles(a text, b text) returns boolean language plpgsql immutable not leakproof
  set search_path = ''
  as $$ begin return a = b; end $$;
