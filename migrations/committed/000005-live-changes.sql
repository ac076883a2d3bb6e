--! Previous: sha1:d1a173316515a70d122e81ac8a8af3c0986db826
--! Hash: sha1:546acfae5748788526e57a2be609d651fe1ced35
--! Message: live changes

-- Live: who listens on `hedgerow_changes` learns which rows of which tenant a statement changed, and which sessions have
-- ended. A notification names rows and holds none of them: each subscriber's transaction reads them under its own policies.
drop trigger if exists notify_ended_update on app_private.sessions;
drop trigger if exists notify_ended_delete on app_private.sessions;
drop trigger if exists notify_ended_update on app_private.credentials;
drop trigger if exists notify_ended_delete on app_private.credentials;
drop trigger if exists notify_ended_update on app_private.external_identities;

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

select app_private.make_live('app_public.lists');
select app_private.make_live('app_public.todos');

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

create trigger notify_ended_update after update on app_private.sessions
  referencing new table as changed for each statement execute function app_private.notify_ended_sessions();
create trigger notify_ended_delete after delete on app_private.sessions
  referencing old table as changed for each statement execute function app_private.notify_ended_sessions();
create trigger notify_ended_update after update on app_private.credentials
  referencing new table as changed for each statement execute function app_private.notify_ended_accounts();
create trigger notify_ended_delete after delete on app_private.credentials
  referencing old table as changed for each statement execute function app_private.notify_ended_accounts();

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

create trigger notify_ended_update after update on app_private.external_identities
  referencing new table as changed for each statement execute function app_private.notify_ended_tokens();
