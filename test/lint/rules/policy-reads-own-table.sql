-- expect: policy select_into on app_public.drafts
-- expect: policy select_dynamic on app_public.drafts
-- expect: policy select_circle on app_public.drafts
-- expect: policy select_own on app_public.notes
-- expect: policy select_own on app_public.memos
-- expect: policy insert_own on app_public.pins
-- expect: policy select_own on app_public.pins
-- expect: policy select_led on app_public.teams
-- expect: policy select_board on app_public.boards
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;

create policy select_own on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) or exists (select from app_public.notes n where n.id = list_id));
-- Recursion through another table.
create table app_public.memos (user_id uuid primary key);
create table app_public.pins (user_id uuid primary key);
create policy select_own on app_public.memos for select to hedgerow_tenant
  using (user_id in (select p.user_id from app_public.pins p));
create policy select_own on app_public.pins for select to hedgerow_tenant
  using (exists (select from (select m.user_id from app_public.memos m) m where m.user_id = pins.user_id));
create policy insert_own on app_public.pins for insert to hedgerow_tenant
  with check (user_id in (select m.user_id from app_public.memos m));
-- Recursion through functions in SQL and PL/pgSQL, and through a view.
create table app_public.teams (user_id uuid primary key, lead uuid);
create function app_public.led_by(leader uuid) returns setof uuid language sql stable
  set search_path from current as $$ select t.user_id from app_public.teams t /* from nowhere */ where t.lead = leader $$;
create function app_public.my_team() returns setof uuid language plpgsql stable
  set search_path from current as $$ begin return query select app_public.led_by(app_public.current_user_id()); end $$;
create policy select_led on app_public.teams for select to hedgerow_tenant
  using (user_id in (select app_public.my_team()));
create table app_public.boards (user_id uuid primary key);
create view app_public.my_boards with (security_invoker = true) as select user_id from app_public.boards;
create policy select_board on app_public.boards for select to hedgerow_tenant
  using (user_id in (select b.user_id from app_public.my_boards b));
-- Recursion through SELECT INTO, through SQL in a single literal, and through functions that call themselves without end.
create table app_public.drafts (user_id uuid primary key, title text);
create function app_public.has_draft(owner uuid) returns boolean language plpgsql stable set search_path = '' as $$
  declare found_one boolean;
  begin select true into strict found_one from only app_public.drafts where user_id = owner; return found_one; end $$;
create policy select_into on app_public.drafts for select to hedgerow_tenant using (app_public.has_draft(user_id));
create function app_public.has_title() returns boolean language plpgsql stable set search_path = '' as $$
  declare found_one boolean;
  begin execute 'select exists (select from "app_public"."drafts")' into found_one; return found_one; end $$;
create policy select_dynamic on app_public.drafts for select to hedgerow_tenant using ((select app_public.has_title()));
set local check_function_bodies = off;
create function app_public.first_half() returns boolean language sql stable set search_path = '' as $$ select app_public.second_half() $$;
create function app_public.second_half() returns boolean language plpgsql stable security definer set search_path = ''
  as $$ begin return app_public.first_half(); end $$;
create policy select_circle on app_public.drafts for select to hedgerow_tenant using ((select app_public.second_half()));
-- fixed:
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;

create policy select_own on app_public.notes for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and exists (select from app_public.lists l where l.id = list_id));
create table app_public.memos (user_id uuid primary key);
create policy select_own on app_public.memos for select to hedgerow_tenant
  using (user_id in (select n.user_id from app_public.notes n));
create table app_public.teams (user_id uuid primary key, lead uuid);
create function app_public.led_by(leader uuid) returns setof uuid language sql stable
  set search_path from current as $$ select l.user_id from app_public.lists l -- from app_public.teams
    where l.user_id = leader $$;
create policy select_led on app_public.teams for select to hedgerow_tenant
  using (user_id in (select app_public.led_by(lead)));
create table app_public.drafts (user_id uuid primary key, title text);
create function app_public.factorial(n int) returns int language plpgsql immutable set search_path = '' as $$
  declare drafts int;
  begin if n < 2 then return 1; end if; select n - 1 into drafts; return n * app_public.factorial(drafts); end $$;
create policy select_own on app_public.drafts for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()) and (select app_public.factorial(3)) is distinct from 1);
