--! Previous: sha1:6c60d1d3d32f457d53233ff65c503ba34bb5e65d
--! Hash: sha1:f024ece40ebbff8b25e04be28cd71e9631010fde
--! Message: functions and policies from fixtures

-- Functions and policies live in migrations/fixtures from here on, a file each, and a migration includes those that it
-- changes. Here all of them are included once, so that what is in the files is what databases have.
--
-- Policies come last: a table is locked from its first policy to the end. Whoever holds one for longer than this makes the
-- migration fail, and nobody waits behind it for longer than this.
set local lock_timeout = '1s';

--! Included functions/app_public.current_user_id.sql
-- After `set local` a reused connection reads the empty string, not null: both mean nobody. An SQL-standard body has its
-- names resolved once, here, and Postgres still puts it into the query in place of the call.
create or replace function app_public.current_user_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.current_user_id', true), '')::uuid;

comment on function app_public.current_user_id() is
  E'@behavior -*\nThe tenant that this transaction speaks for; null when it speaks for nobody.';

-- hedgerow_auth too: the default of user_id is evaluated as the role that inserts.
grant execute on function app_public.current_user_id() to hedgerow_tenant, hedgerow_auth;
--! EndIncluded functions/app_public.current_user_id.sql
--! Included functions/app_public.current_user.sql
-- The signed-in user, as the API's `currentUser`. The row as a whole: with `select *` the body would keep the columns
-- of the day it was made, and fail once the table has another one.
create or replace function app_public.current_user() returns app_public.users
  language sql stable
  begin atomic
    select u from app_public.users u where u.id = app_public.current_user_id();
  end;

grant execute on function app_public.current_user() to hedgerow_tenant;
--! EndIncluded functions/app_public.current_user.sql
--! Included functions/app_private.refuse_identity.sql
-- The identity statement calls this where it finds no living session, so that the statement behind it never runs.
create or replace function app_private.refuse_identity() returns text
  language plpgsql volatile
  set search_path = ''
  as $$ begin raise exception 'no living session of an active user' using errcode = 'HR401'; end $$;

grant execute on function app_private.refuse_identity() to hedgerow_authenticator;
--! EndIncluded functions/app_private.refuse_identity.sql
--! Included functions/app_private.set_updated_at.sql
create or replace function app_private.set_updated_at() returns trigger
  language plpgsql
  set search_path = ''
  as $$ begin new.updated_at = pg_catalog.now(); return new; end $$;
--! EndIncluded functions/app_private.set_updated_at.sql
--! Included functions/app_private.refuse_tokens_of_deleted_user.sql
create or replace function app_private.refuse_tokens_of_deleted_user() returns trigger
  language plpgsql
  set search_path = ''
  as $$ begin new.not_before = pg_catalog.now(); return new; end $$;
--! EndIncluded functions/app_private.refuse_tokens_of_deleted_user.sql
--! Included functions/app_private.refuse_change.sql
create or replace function app_private.refuse_change() returns trigger
  language plpgsql
  set search_path = ''
  as $$ begin raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege'; end $$;
--! EndIncluded functions/app_private.refuse_change.sql
--! Included functions/app_private.notify_changes.sql
-- Live: who listens on `hedgerow_changes` learns which rows of which tenant a statement changed, and which sessions have
-- ended. A notification names rows and holds none of them: each subscriber's transaction reads them under its own policies.
--
-- One notification for each tenant of the statement, whatever its number of rows. Where ids would not fit into the 8,000
-- bytes of a notification it has none, and subscribers are told to read anew. Runs as whoever writes: nothing here needs
-- more than they may.
--
-- NOTIFY lets one transaction commit at a time in the whole cluster, so it is left out where nobody listens. Whoever
-- listens for a tenant holds the tenant's advisory lock, shared; a writer who gets it whole knows that nobody does, and
-- keeps it until the commit, so that nobody begins to listen before the change can be seen. The lock is one of 1,024:
-- locks share a table of fixed size.
create or replace function app_private.notify_changes() returns trigger
  language plpgsql
  set search_path = ''
  as $$
declare
  tenant uuid;
  alone boolean;
begin
  select c.user_id into tenant from changed c limit 1;
  if not found then
    return null;
  end if;
  alone := not exists (select from changed c where c.user_id <> tenant);
  -- Both sides of an update: a row that was given away has changed for whom it has left, too.
  if tg_op = 'UPDATE' then
    alone := alone and not exists (select from before b where b.user_id <> tenant);
  end if;
  if alone and pg_catalog.pg_try_advisory_xact_lock(
    1751474535, ('x' || pg_catalog.right(tenant::text, 3))::bit(12)::int & 1023) then
    return null;
  end if;
  if tg_op = 'UPDATE' then
    perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object('table', tg_table_name, 'event', tg_op,
      'user', c.user_id, 'ids', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.id) end)::text)
    from (select user_id, id from changed union select user_id, id from before) c group by c.user_id;
  else
    perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object('table', tg_table_name, 'event', tg_op,
      'user', c.user_id, 'ids', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.id) end)::text)
    from changed c group by c.user_id;
  end if;
  return null;
end $$;
--! EndIncluded functions/app_private.notify_changes.sql
--! Included functions/app_private.make_live.sql
-- `select app_private.make_live('app_public.tags')`: from here on changes of the table are notified, and the API has
-- `tagChanged`. Three triggers, because one with transition tables has one event. For the owner, in migrations.
create or replace function app_private.make_live(live regclass) returns void
  language plpgsql
  set search_path = ''
  as $$
declare
  columns int;
  event text;
begin
  select pg_catalog.count(*) into columns from pg_catalog.pg_attribute a
    where a.attrelid = live and a.attname in ('user_id', 'id') and a.atttypid = 'pg_catalog.uuid'::pg_catalog.regtype;
  if columns < 2 then
    raise exception '% cannot be live: it needs user_id uuid and id uuid', live;
  end if;
  foreach event in array array['insert', 'update', 'delete'] loop
    execute pg_catalog.format(
      'create or replace trigger notify_%s after %s on %s referencing %s for each statement execute function app_private.notify_changes()',
      event, event, live, case event
        when 'insert' then 'new table as changed'
        when 'update' then 'old table as before new table as changed'
        else 'old table as changed'
      end);
  end loop;
end $$;
--! EndIncluded functions/app_private.make_live.sql
--! Included functions/app_private.notify_ended_sessions.sql
-- An update ends a session that does not live afterwards, a delete one that lived until then.
create or replace function app_private.notify_ended_sessions() returns trigger
  language plpgsql
  set search_path = ''
  as $$
begin
  perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object(
    'sessions', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.id) end)::text)
  from changed c
  where (tg_op = 'DELETE') = (c.revoked_at is null and c.expires_at > pg_catalog.now())
  having pg_catalog.count(*) > 0;
  return null;
end $$;
--! EndIncluded functions/app_private.notify_ended_sessions.sql
--! Included functions/app_private.notify_ended_accounts.sql
create or replace function app_private.notify_ended_accounts() returns trigger
  language plpgsql
  set search_path = ''
  as $$
begin
  perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object(
    'users', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.user_id) end)::text)
  from changed c
  where (tg_op = 'DELETE') = c.is_active
  having pg_catalog.count(*) > 0;
  return null;
end $$;
--! EndIncluded functions/app_private.notify_ended_accounts.sql
--! Included functions/app_private.notify_ended_tokens.sql
-- Tokens of another issuer have no session of ours: they end when `not_before` is set.
create or replace function app_private.notify_ended_tokens() returns trigger
  language plpgsql
  set search_path = ''
  as $$
begin
  perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object(
    'users', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.user_id) end)::text)
  from changed c
  where c.user_id is not null and c.not_before > '-infinity'
  having pg_catalog.count(*) > 0;
  return null;
end $$;
--! EndIncluded functions/app_private.notify_ended_tokens.sql
--! Included functions/app_search.words.sql
-- The words of a text. Punctuation parts them: the parser would take `milk/bread` for a path, and `<milk>` for a tag.
create or replace function app_search.words(content text) returns tsvector
  language sql immutable strict parallel safe
  begin atomic
    select to_tsvector('app_search.plain', translate(content, './@:_+-<>&#', '           '));
  end;

grant execute on function app_search.words(text) to hedgerow_tenant;
--! EndIncluded functions/app_search.words.sql
--! Included functions/app_search.beginnings.sql
-- Every word of a text as the beginning of a word. Operators of tsquery in the text are punctuation.
create or replace function app_search.beginnings(content text) returns tsquery
  language sql immutable strict parallel safe
  begin atomic
    select string_agg(quote_literal(word) || ':*', ' & ')::tsquery
    from unnest(tsvector_to_array(app_search.words(content))) word;
  end;

grant execute on function app_search.beginnings(text) to hedgerow_tenant;
--! EndIncluded functions/app_search.beginnings.sql
--! Included functions/app_search.resembling.sql
-- As beginnings(), but for a word that begins none of the documents' words, those that it is a slip of the pen for; null
-- where there are none. `documents` is SQL that selects tsvectors, as for ts_stat(), and never a client's.
-- A slip is one edit in words of three to five characters, two in longer ones; two neighbours that changed places are
-- one edit. Levenshtein counts two for them, but they leave no letter over.
create or replace function app_search.resembling(content text, documents text) returns tsquery
  language sql stable strict
  begin atomic
    with vocabulary as materialized (select word as known from ts_stat(documents))
    select case when bool_and(alternatives is not null) then string_agg('(' || alternatives || ')', ' & ')::tsquery end
    from unnest(tsvector_to_array(app_search.words(content))) word,
      lateral (select case when char_length(word) < 3 then 0 when char_length(word) < 6 then 1 else 2 end as edits) allowed
    left join lateral (
      select case
        when exists (select from vocabulary where starts_with(known, word)) then quote_literal(word) || ':*'
        else (
          select string_agg(quote_literal(known), ' | ')
          from vocabulary,
            -- Levenshtein refuses more than 255 characters.
            lateral (
              select app_search.levenshtein_less_equal(left(word, 255), left(known, 255), edits + 1) as distance
            ) measured
          where edits > 0 and (distance <= edits or distance = edits + 1 and (
            select count(*) < edits
            from (select string_to_table(word, null) except all select string_to_table(known, null)) missing
          ))
        )
      end as alternatives
    ) found on true;
  end;

grant execute on function app_search.resembling(text, text) to hedgerow_tenant;
--! EndIncluded functions/app_search.resembling.sql
--! Included functions/app_public.search_todos.sql
create or replace function app_public.search_todos(query text) returns setof app_public.todos
  language plpgsql stable strict rows 20
  set search_path = ''
  as $$
declare
  wanted tsquery;
begin
  if char_length(query) > 200 then
    raise exception 'query must have at most 200 characters' using errcode = 'HR400', column = 'query';
  end if;
  wanted := app_search.beginnings(query);
  for attempt in 1..2 loop
    return query
      select t.* from app_public.todos t where t.search @@ wanted
      -- What is a word of its own comes before what is the beginning of one.
      order by
        ts_rank(t.search, wanted) + ts_rank(t.search, replace(wanted::text, ':*', '')::tsquery) desc,
        t.created_at desc, t.id;
    exit when found;
    wanted := app_search.resembling(query, 'select search from app_public.todos');
  end loop;
end
$$;

comment on function app_public.search_todos(text) is
  'Todos with every word of `query` in title or description, best first, then newest. A word may be unfinished; where '
  'nothing matches, it may be misspelt.';

grant execute on function app_public.search_todos(text) to hedgerow_tenant;
--! EndIncluded functions/app_public.search_todos.sql

--! Included policies/app_public.users.sql
-- Not for tenants: insert, update, delete. Accounts change through sign-in, which asks for the password.
drop policy if exists select_own on app_public.users;
create policy select_own on app_public.users for select to hedgerow_tenant
  using (id = (select app_public.current_user_id()));

-- Sign-in finds accounts by their address before anybody is signed in, so its policies cannot speak of an owner.
drop policy if exists select_auth on app_public.users;
create policy select_auth on app_public.users for select to hedgerow_auth using (true);

drop policy if exists insert_auth on app_public.users;
create policy insert_auth on app_public.users for insert to hedgerow_auth with check (true);

drop policy if exists update_auth on app_public.users;
create policy update_auth on app_public.users for update to hedgerow_auth using (true) with check (true);

drop policy if exists delete_auth on app_public.users;
create policy delete_auth on app_public.users for delete to hedgerow_auth using (true);
--! EndIncluded policies/app_public.users.sql
--! Included policies/app_public.lists.sql
drop policy if exists select_own on app_public.lists;
create policy select_own on app_public.lists for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

drop policy if exists insert_own on app_public.lists;
create policy insert_own on app_public.lists for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists update_own on app_public.lists;
create policy update_own on app_public.lists for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists delete_own on app_public.lists;
create policy delete_own on app_public.lists for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
--! EndIncluded policies/app_public.lists.sql
--! Included policies/app_public.todos.sql
drop policy if exists select_own on app_public.todos;
create policy select_own on app_public.todos for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

drop policy if exists insert_own on app_public.todos;
create policy insert_own on app_public.todos for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists update_own on app_public.todos;
create policy update_own on app_public.todos for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists delete_own on app_public.todos;
create policy delete_own on app_public.todos for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
--! EndIncluded policies/app_public.todos.sql
--! Included policies/app_public.idempotency_keys.sql
drop policy if exists select_own on app_public.idempotency_keys;
create policy select_own on app_public.idempotency_keys for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

drop policy if exists insert_own on app_public.idempotency_keys;
create policy insert_own on app_public.idempotency_keys for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists update_own on app_public.idempotency_keys;
create policy update_own on app_public.idempotency_keys for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists delete_own on app_public.idempotency_keys;
create policy delete_own on app_public.idempotency_keys for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
--! EndIncluded policies/app_public.idempotency_keys.sql
--! Included policies/app_private.audit_log.sql
-- For nobody: update and delete.
drop policy if exists select_own on app_private.audit_log;
create policy select_own on app_private.audit_log for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

drop policy if exists insert_auth on app_private.audit_log;
create policy insert_auth on app_private.audit_log for insert to hedgerow_auth with check (true);
--! EndIncluded policies/app_private.audit_log.sql
