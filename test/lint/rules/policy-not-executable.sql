-- expect: policy by_column on app_public.notes
-- expect: policy by_row on app_public.notes
-- expect: policy by_view on app_public.notes
-- expect: policy by_function on app_public.notes
-- expect: policy by_aggregate on app_public.notes
-- expect: policy by_operator on app_public.notes
-- expect: policy select_own on app_public.notes
-- expect: policy insert_own on app_public.notes
create table app_public.notes (user_id uuid primary key, title text);
create table app_private.owners (user_id uuid primary key);
create table app_public.secrets (user_id uuid primary key);
create function app_public.is_mine(owner uuid) returns boolean language sql stable
  set search_path from current as $$ select owner = app_public.current_user_id() $$;
revoke execute on function app_public.is_mine from public, hedgerow_tenant;
create policy select_own on app_public.notes for select to hedgerow_tenant using (app_public.is_mine(user_id));
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (user_id in (select s.user_id from app_public.secrets s));
grant select, insert on app_public.notes to hedgerow_tenant;
-- Missing privileges on columns, on views, and on objects that functions use at any depth.
create table app_public.codes (user_id uuid primary key, code text, used boolean);
grant select (user_id, used) on app_public.codes to hedgerow_tenant;
create policy by_column on app_public.notes for select to hedgerow_tenant
  using (exists (select from app_public.codes c where c.user_id = notes.user_id and c.code = title));
create policy by_row on app_public.notes for select to hedgerow_tenant
  using (exists (select c from app_public.codes c where c is not null));
create view app_private.free_codes with (security_invoker = true) as select user_id, code from app_public.codes;
grant select on app_private.free_codes to hedgerow_tenant;
create policy by_view on app_public.notes for select to hedgerow_tenant
  using (user_id in (select f.user_id from app_private.free_codes f));
create function app_private.deep() returns boolean language plpgsql stable set search_path = '' as $$
  declare found uuid; begin select s.user_id into strict found from app_public.secrets s, app_public.codes; return true; end $$;
create function app_public.middle() returns boolean language sql stable set search_path = '' as $$ select "app_private" . deep() $$;
create function app_public.outer() returns boolean language sql stable return app_public.middle();
grant execute on function app_private.deep, app_public.middle, app_public.outer to hedgerow_tenant;
grant usage on schema app_private to hedgerow_tenant;
create policy by_function on app_public.notes for select to hedgerow_tenant using ((select app_public.outer()));
create function app_private.step(boolean, uuid) returns boolean language sql immutable as $$ select $1 $$;
create aggregate app_private.every_one(uuid) (sfunc = app_private.step, stype = boolean);
revoke execute on function app_private.every_one(uuid) from public;
create policy by_aggregate on app_public.notes for select to hedgerow_tenant
  using ((select app_private.every_one(n.user_id) from app_public.codes n));
create function app_private.same(uuid, uuid) returns boolean language sql immutable as $$ select $1 = $2 $$;
create operator app_private.=== (leftarg = uuid, rightarg = uuid, function = app_private.same);
revoke execute on function app_private.same(uuid, uuid) from public;
create policy by_operator on app_public.notes for select to hedgerow_tenant
  using (user_id operator(app_private.===) user_id);
-- fixed:
create table app_public.notes (user_id uuid primary key, title text);
create table app_public.secrets (user_id uuid primary key);
create function app_public.is_mine(owner uuid) returns boolean language sql stable
  set search_path from current as $$ select owner = app_public.current_user_id() $$;
revoke execute on function app_public.is_mine from public;
grant execute on function app_public.is_mine to hedgerow_tenant;
create policy select_own on app_public.notes for select to hedgerow_tenant using (app_public.is_mine(user_id));
create policy insert_own on app_public.notes for insert to hedgerow_tenant
  with check (user_id in (select s.user_id from app_public.secrets s));
grant select (user_id) on app_public.secrets to hedgerow_tenant;
grant select, insert on app_public.notes to hedgerow_tenant;
create table app_public.codes (user_id uuid primary key, code text, used boolean);
grant select (user_id, used) on app_public.codes to hedgerow_tenant;
create policy by_column on app_public.notes for select to hedgerow_tenant
  using (exists (select from app_public.codes c where c.user_id = notes.user_id and c.used));
-- A security definer function and a view need the rights of their owner. A policy needs no USAGE on schemas.
create function app_private.deep() returns boolean language plpgsql stable security definer set search_path = '' as $$
  declare found uuid; begin select s.user_id into found from app_public.secrets s, app_public.codes; return true; end $$;
create function app_public.outer() returns boolean language sql stable return app_private.deep();
grant execute on function app_private.deep, app_public.outer to hedgerow_tenant;
create policy by_function on app_public.notes for select to hedgerow_tenant using ((select app_public.outer()));
create view app_private.free_codes as select user_id, code from app_public.codes;
grant select (user_id) on app_private.free_codes to hedgerow_tenant;
create policy by_view on app_public.notes for select to hedgerow_tenant
  using (user_id in (select f.user_id from app_private.free_codes f));
create function app_private.listed() returns boolean language sql stable set search_path = '' as $$
  with secrets as (select user_id from app_public.codes) select exists (select from secrets) $$;
grant execute on function app_private.listed to hedgerow_tenant;
create policy by_list on app_public.notes for select to hedgerow_tenant using ((select app_private.listed()));
