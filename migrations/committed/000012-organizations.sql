--! Previous: sha1:a04aca820941d9a66d4dc3302374f2277e373392
--! Hash: sha1:ff363b86cb62eb7db5b77591f9717d6e8f4e7e59
--! Message: organizations

-- Organizations: tenants that several users share. See docs/adr/0300-organizations.md.
set local lock_timeout = '1s';

-- Everything below can run twice. A project may have tables of these names: they must not be dropped.
do $$
declare
  name text;
begin
  foreach name in array array['organizations', 'organization_members', 'organization_invitations', 'projects', 'tasks'] loop
    if to_regclass('app_public.' || name) is not null
      and to_regprocedure('app_private.notify_changed_memberships()') is null then
      raise exception 'app_public.% exists already: rename your table before this migration', name;
    end if;
  end loop;
end
$$;

drop view if exists app_public.audit_events;
drop function if exists app_public.current_organization(), app_public.search_tasks(text),
  app_public.organization_members_user(app_public.organization_members);
drop type if exists app_public.member_user;
drop table if exists app_public.tasks, app_public.projects, app_public.organization_invitations,
  app_public.organization_members, app_public.organizations;
alter table app_private.audit_log drop column if exists organization_id, drop column if exists member_id;

--! Included functions/app_public.current_user_id.sql
-- After `set local` a reused connection reads the empty string instead of null: both mean no user. Postgres resolves the
-- names of an SQL-standard body once, when the function is created, and still inlines the function into queries.
create or replace function app_public.current_user_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.current_user_id', true), '')::uuid;

comment on function app_public.current_user_id() is
  E'@behavior -*\nThe user of this transaction; null without one.';

-- hedgerow_auth too: the default of user_id is evaluated as the role that inserts.
grant execute on function app_public.current_user_id() to hedgerow_tenant, hedgerow_auth;
--! EndIncluded functions/app_public.current_user_id.sql
--! Included functions/app_public.current_organization_id.sql
-- As current_user_id(): the empty string and null both mean no organization.
create or replace function app_public.current_organization_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.current_organization_id', true), '')::uuid;

comment on function app_public.current_organization_id() is
  E'@behavior -*\nThe organization that this transaction acts for; null if it acts for none.';

-- hedgerow_auth too: the default of organization_id is evaluated as the role that inserts.
grant execute on function app_public.current_organization_id() to hedgerow_tenant, hedgerow_auth;
--! EndIncluded functions/app_public.current_organization_id.sql
--! Included functions/app_public.current_member_role.sql
create or replace function app_public.current_member_role() returns text
  language sql stable parallel safe
  return nullif(current_setting('app.current_member_role', true), '');

comment on function app_public.current_member_role() is
  E'@behavior -*\nThe user''s role in the current organization: owner, admin, member or viewer; null without an organization.';

grant execute on function app_public.current_member_role() to hedgerow_tenant, hedgerow_auth;
--! EndIncluded functions/app_public.current_member_role.sql
--! Included functions/app_public.current_user.sql
-- The API's `currentUser`. It selects the whole row, so that it keeps working when the table gets a column.
create or replace function app_public.current_user() returns app_public.users
  language sql stable
  begin atomic
    select u from app_public.users u where u.id = app_public.current_user_id();
  end;

grant execute on function app_public.current_user() to hedgerow_tenant;
--! EndIncluded functions/app_public.current_user.sql
--! Included functions/app_private.refuse_identity.sql
-- The identity statement calls this if there is no active session, so that no later statement runs.
create or replace function app_private.refuse_identity() returns text
  language plpgsql volatile
  set search_path = ''
  as $$ begin raise exception 'no living session of an active user' using errcode = 'HR401'; end $$;

grant execute on function app_private.refuse_identity() to hedgerow_authenticator;
--! EndIncluded functions/app_private.refuse_identity.sql
--! Included functions/app_private.refuse_membership.sql
-- The identity statement calls this if the user is not a member of the organization, so that no later statement runs.
create or replace function app_private.refuse_membership() returns text
  language plpgsql volatile
  set search_path = ''
  as $$ begin raise exception 'not a member of the organization' using errcode = 'HR403'; end $$;

grant execute on function app_private.refuse_membership() to hedgerow_authenticator;
--! EndIncluded functions/app_private.refuse_membership.sql
--! Included functions/app_private.notify_changes.sql
-- Notifies listeners on `hedgerow_changes` of the rows that a statement changed. A notification has the ids of the rows
-- and none of their data: each subscriber's transaction reads them under its own policies.
--
-- A statement sends one notification for each tenant. If the ids would exceed the 8,000 bytes of a notification, it has
-- none, and subscribers read all of their rows again. The function runs as the role that writes, which needs no further
-- grants.
--
-- NOTIFY lets one transaction commit at a time in the whole cluster, so it is left out if nobody listens. Listeners hold
-- the tenant's advisory lock, shared. A writer that acquires it exclusively knows that nobody listens, and keeps it until
-- the commit, so that nobody starts to listen before the change is visible. There are 1,024 locks, because all locks
-- share a table of fixed size.
create or replace function app_private.notify_changes() returns trigger
  language plpgsql
  set search_path = ''
  as $$
declare
  tenant uuid;
  only_tenant boolean;
begin
  select c.user_id into tenant from changed c limit 1;
  if not found then
    return null;
  end if;
  only_tenant := not exists (select from changed c where c.user_id <> tenant);
  -- A row that was given to another user has changed for both.
  if tg_op = 'UPDATE' then
    only_tenant := only_tenant and not exists (select from before b where b.user_id <> tenant);
  end if;
  if only_tenant and pg_catalog.pg_try_advisory_xact_lock(
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
--! Included functions/app_private.notify_organization_changes.sql
-- As notify_changes(), for tables whose rows belong to an organization. Statements that name a column cannot be shared by
-- both functions unless they are built at run time, which every write would pay for.
create or replace function app_private.notify_organization_changes() returns trigger
  language plpgsql
  set search_path = ''
  as $$
declare
  tenant uuid;
  only_tenant boolean;
begin
  select c.organization_id into tenant from changed c limit 1;
  if not found then
    return null;
  end if;
  only_tenant := not exists (select from changed c where c.organization_id <> tenant);
  if tg_op = 'UPDATE' then
    only_tenant := only_tenant and not exists (select from before b where b.organization_id <> tenant);
  end if;
  if only_tenant and pg_catalog.pg_try_advisory_xact_lock(
    1751474535, ('x' || pg_catalog.right(tenant::text, 3))::bit(12)::int & 1023) then
    return null;
  end if;
  if tg_op = 'UPDATE' then
    perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object('table', tg_table_name, 'event', tg_op,
      'organization', c.organization_id,
      'ids', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.id) end)::text)
    from (select organization_id, id from changed union select organization_id, id from before) c
    group by c.organization_id;
  else
    perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object('table', tg_table_name, 'event', tg_op,
      'organization', c.organization_id,
      'ids', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.id) end)::text)
    from changed c group by c.organization_id;
  end if;
  return null;
end $$;
--! EndIncluded functions/app_private.notify_organization_changes.sql
--! Included functions/app_private.notify_ended_sessions.sql
-- An update ends a session that is not active afterwards; a delete ends one that was active.
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
--! Included functions/app_private.notify_ended_tokens.sql
-- Tokens of an external issuer have no session here: they end when `not_before` is set.
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
--! Included functions/app_private.notify_changed_memberships.sql
-- One notification for each organization of the statement. The server then closes the subscriptions of these members.
create or replace function app_private.notify_changed_memberships() returns trigger
  language plpgsql
  set search_path = ''
  as $$
begin
  if tg_op = 'DELETE' then
    perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object('formerMembersOf', c.organization_id,
      'users', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.user_id) end)::text)
    from changed c group by c.organization_id;
  else
    perform pg_catalog.pg_notify('hedgerow_changes', pg_catalog.json_build_object('newRolesIn', c.organization_id,
      'users', case when pg_catalog.count(*) <= 100 then pg_catalog.json_agg(c.user_id) end)::text)
    from changed c join before b on b.organization_id = c.organization_id and b.user_id = c.user_id
    where b.role <> c.role group by c.organization_id;
  end if;
  return null;
end $$;
--! EndIncluded functions/app_private.notify_changed_memberships.sql
--! Included functions/app_private.make_live.sql
-- `select app_private.make_live('app_public.tags')`: changes of the table are notified from now on, and the API has
-- `tagChanged`. It creates three triggers, because a trigger with transition tables has one event. Call it as the owner of
-- the table, in a migration.
create or replace function app_private.make_live(live regclass) returns void
  language plpgsql
  set search_path = ''
  as $$
declare
  uuids name[];
  notify text;
  event text;
begin
  select pg_catalog.array_agg(a.attname) into uuids from pg_catalog.pg_attribute a
    where a.attrelid = live and a.attnum > 0 and a.attnotnull and a.atttypid = 'pg_catalog.uuid'::pg_catalog.regtype;
  notify := case
    when uuids @> '{organization_id,id}' then 'app_private.notify_organization_changes()'
    when uuids @> '{user_id,id}' then 'app_private.notify_changes()'
  end;
  if notify is null then
    raise exception '% cannot be live: it needs id uuid, and user_id uuid or organization_id uuid, all not null', live;
  end if;
  foreach event in array array['insert', 'update', 'delete'] loop
    execute pg_catalog.format(
      'create or replace trigger notify_%s after %s on %s referencing %s for each statement execute function %s',
      event, event, live, case event
        when 'insert' then 'new table as changed'
        when 'update' then 'old table as before new table as changed'
        else 'old table as changed'
      end, notify);
  end loop;
end $$;
--! EndIncluded functions/app_private.make_live.sql
--! Included functions/app_search.words.sql
-- The words of a text. Punctuation separates them: the parser would take `milk/bread` for a path, and `<milk>` for a tag.
create or replace function app_search.words(content text) returns tsvector
  language sql immutable strict parallel safe
  begin atomic
    select to_tsvector('app_search.plain', translate(content, './@:_+-<>&#', '           '));
  end;

grant execute on function app_search.words(text) to hedgerow_tenant;
--! EndIncluded functions/app_search.words.sql
--! Included functions/app_public.search_todos.sql
-- The limits keep every search short, whatever the tenant has stored and whatever the query is; docs/adr/ has the
-- figures. It searches the newest 100,000 todos, up to 32 MiB of their words, and ranks the newest 10,000 matches.
create or replace function app_public.search_todos(query text) returns setof app_public.todos
  language plpgsql stable strict rows 20
  set search_path = ''
  as $$
declare
  wanted tsquery;
  some_word tsquery;
  some_whole_word tsquery;
begin
  if char_length(query) > 200 then
    raise exception 'query must have at most 200 characters' using errcode = 'HR400', column = 'query';
  end if;
  wanted := app_search.beginnings(query);
  for attempt in 1..2 loop
    exit when wanted is null;
    -- ts_rank() compares every pair of positions where words are joined by `&`, which takes seconds for one long text.
    -- With `|` its time is proportional to the text.
    some_word := replace(wanted::text, ' & ', ' | ')::tsquery;
    some_whole_word := replace(some_word::text, ':*', '')::tsquery;
    return query
      select t.*
      from (
        select id, ts_rank(search, some_word) + ts_rank(search, some_whole_word) as rank
        from (
          select id, search from (
            select id, search,
              sum(pg_column_size(search)) over (order by created_at desc, id desc rows unbounded preceding) as bytes
            from (
              select id, created_at, search from app_public.todos order by created_at desc, id desc limit 100000
            ) newest
          ) measured
          where bytes <= 32 * 1024 * 1024 and search @@ wanted
          limit 10000
        ) matching
      ) found
      join app_public.todos t on t.id = found.id
      order by found.rank desc, t.created_at desc, t.id;
    exit when found;
    wanted := app_search.resembling(
      query, 'select search from app_public.todos order by created_at desc, id desc limit 5000'
    );
  end loop;
end
$$;

comment on function app_public.search_todos(text) is
  'Todos with every word of `query` in title or description, best first, then newest. A word may be unfinished; where '
  'nothing matches, it may be misspelt. The first eight different words count. Of many todos the newest are searched.';

grant execute on function app_public.search_todos(text) to hedgerow_tenant;
--! EndIncluded functions/app_public.search_todos.sql


-- Organizations and their members -------------------------------------------------------------------------------------

create table app_public.organizations (
  id uuid primary key,
  name text not null check (char_length(name) between 1 and 100),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create trigger set_updated_at before update on app_public.organizations
  for each row execute function app_private.set_updated_at();

alter table app_public.organizations enable row level security, force row level security;

-- A member has a copy of the user's name, because members do not read each other's rows in users. Its foreign key, to the
-- index of the previous migration, keeps the copy up to date.
create table app_public.organization_members (
  organization_id uuid not null default app_public.current_organization_id()
    references app_public.organizations on delete cascade,
  user_id uuid not null,
  username text not null,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, user_id),
  foreign key (user_id, username) references app_public.users (id, username) on update cascade on delete cascade
);

create index organization_members_user_id_username_idx on app_public.organization_members (user_id, username);

create trigger set_updated_at before update on app_public.organization_members
  for each row execute function app_private.set_updated_at();
create trigger notify_changed_delete after delete on app_public.organization_members
  referencing old table as changed for each statement execute function app_private.notify_changed_memberships();
create trigger notify_changed_update after update on app_public.organization_members
  referencing old table as before new table as changed
  for each statement execute function app_private.notify_changed_memberships();

alter table app_public.organization_members enable row level security, force row level security;

create table app_public.organization_invitations (
  organization_id uuid not null default app_public.current_organization_id()
    references app_public.organizations on delete cascade,
  id uuid not null default gen_random_uuid(),
  email text not null
    check (char_length(email) between 3 and 255 and email = lower(email) and email like '_%@_%'),
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  -- SHA-256: nobody who reads this table can accept an invitation.
  token_hash bytea not null check (octet_length(token_hash) = 32),
  invited_by uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (organization_id, id),
  -- A new invitation replaces the previous one to the same address.
  unique (organization_id, email),
  -- Removing a member also removes the member's invitations.
  foreign key (organization_id, invited_by) references app_public.organization_members on delete cascade
);

create index organization_invitations_invited_by_idx
  on app_public.organization_invitations (organization_id, invited_by);

alter table app_public.organization_invitations enable row level security, force row level security;

-- The identity statement reads these columns before the transaction has an identity.
grant usage on schema app_public to hedgerow_authenticator;
grant select (organization_id, user_id, role) on app_public.organization_members to hedgerow_authenticator;

grant select on app_public.organizations, app_public.organization_members to hedgerow_tenant;
grant select (organization_id, id, email, role, invited_by, created_at, expires_at)
  on app_public.organization_invitations to hedgerow_tenant;

grant select, insert (id, name), update (updated_at), delete on app_public.organizations to hedgerow_auth;
grant select, insert (user_id, username, role), update (role), delete
  on app_public.organization_members to hedgerow_auth;
grant select, delete,
  insert (id, email, role, token_hash, invited_by, expires_at),
  update (id, role, token_hash, invited_by, created_at, expires_at)
  on app_public.organization_invitations to hedgerow_auth;

create type app_public.member_user as (id uuid, username text);

comment on type app_public.member_user is 'A user, as other members of an organization see it.';
comment on column app_public.member_user.id is '@notNull';
comment on column app_public.member_user.username is '@notNull';

comment on table app_public.organizations is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single';
comment on table app_public.organization_members is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n@isolation read: user user_id\n'
  'A member of an organization.';
comment on table app_public.organization_invitations is '@behavior -*';
comment on constraint organization_members_organization_id_fkey on app_public.organization_members is
  E'@foreignFieldName members\nthere is no such organization';
comment on constraint organization_members_user_id_username_fkey on app_public.organization_members is
  E'@behavior -*\nthere is no such user';
comment on column app_public.organization_members.username is E'@behavior -*\nA copy of the user''s name.';
comment on column app_public.organization_members.role is 'One of `owner`, `admin`, `member` and `viewer`.';


-- Projects and tasks --------------------------------------------------------------------------------------------------

create table app_public.projects (
  organization_id uuid not null default app_public.current_organization_id()
    references app_public.organizations on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null check (char_length(name) between 1 and 255),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, name)
);

create table app_public.tasks (
  organization_id uuid not null default app_public.current_organization_id()
    references app_public.organizations on delete cascade,
  id uuid not null default gen_random_uuid(),
  project_id uuid,
  title text not null check (char_length(title) between 1 and 255),
  completed boolean not null default false,
  assignee_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  search tsvector generated always as (app_search.words(title)) stored,
  primary key (organization_id, id),
  foreign key (organization_id, project_id)
    references app_public.projects (organization_id, id) on delete set null (project_id),
  foreign key (organization_id, assignee_id)
    references app_public.organization_members (organization_id, user_id) on delete set null (assignee_id)
);

create index tasks_organization_id_created_at_idx on app_public.tasks (organization_id, created_at, id);
create index tasks_organization_id_project_id_idx on app_public.tasks (organization_id, project_id, created_at, id);
create index tasks_organization_id_assignee_id_idx on app_public.tasks (organization_id, assignee_id, created_at, id);

create trigger set_updated_at before update on app_public.projects
  for each row execute function app_private.set_updated_at();
create trigger set_updated_at before update on app_public.tasks
  for each row execute function app_private.set_updated_at();

alter table app_public.projects enable row level security, force row level security;
alter table app_public.tasks enable row level security, force row level security;

grant select, insert (id, name), update (name), delete on app_public.projects to hedgerow_tenant;
grant select, insert (id, project_id, title, completed, assignee_id),
  update (project_id, title, completed, assignee_id), delete on app_public.tasks to hedgerow_tenant;

select app_private.make_live('app_public.projects');
select app_private.make_live('app_public.tasks');

comment on column app_public.tasks.search is E'@behavior -*\nThe words of the title, kept by the database.';
comment on column app_public.tasks.assignee_id is 'The `userId` of a member of the organization.';
comment on constraint projects_pkey on app_public.projects is 'there is a project with this rowId already';
comment on constraint projects_organization_id_fkey on app_public.projects is 'there is no such organization';
comment on constraint projects_organization_id_name_key on app_public.projects is
  'there is a project with this name already';
comment on constraint projects_name_check on app_public.projects is 'name must have 1 to 255 characters';
comment on constraint tasks_pkey on app_public.tasks is 'there is a task with this rowId already';
comment on constraint tasks_organization_id_fkey on app_public.tasks is 'there is no such organization';
comment on constraint tasks_organization_id_project_id_fkey on app_public.tasks is
  'projectId must name a project of the organization';
comment on constraint tasks_organization_id_assignee_id_fkey on app_public.tasks is
  E'@fieldName assignee\n@foreignFieldName assignedTasks\nassigneeId must name a member of the organization';
comment on constraint tasks_title_check on app_public.tasks is 'title must have 1 to 255 characters';

--! Included functions/app_public.current_organization.sql
-- The API's `currentOrganization`. It selects the whole row, so that it keeps working when the table gets a column.
create or replace function app_public.current_organization() returns app_public.organizations
  language sql stable
  begin atomic
    select o from app_public.organizations o where o.id = app_public.current_organization_id();
  end;

comment on function app_public.current_organization() is
  'The organization that the request acts for, by its header `X-Organization-Id`; null if it acts for none.';

grant execute on function app_public.current_organization() to hedgerow_tenant;
--! EndIncluded functions/app_public.current_organization.sql
--! Included functions/app_public.organization_members_user.sql
-- The API's `user` of a member. Members see no rows of each other in `users`, which has their addresses.
create or replace function app_public.organization_members_user(member app_public.organization_members)
  returns app_public.member_user
  language sql stable
  begin atomic
    select row(member.user_id, member.username)::app_public.member_user;
  end;

comment on function app_public.organization_members_user(app_public.organization_members) is
  'The member''s user, as other members see it.';

grant execute on function app_public.organization_members_user(app_public.organization_members) to hedgerow_tenant;
--! EndIncluded functions/app_public.organization_members_user.sql
--! Included functions/app_public.search_tasks.sql
-- The limits keep every search short, whatever the tenant has stored and whatever the query is; docs/adr/ has the
-- figures. It searches the newest 100,000 tasks, up to 32 MiB of their words, and ranks the newest 10,000 matches.
create or replace function app_public.search_tasks(query text) returns setof app_public.tasks
  language plpgsql stable strict rows 20
  set search_path = ''
  as $$
declare
  wanted tsquery;
  some_word tsquery;
  some_whole_word tsquery;
begin
  if char_length(query) > 200 then
    raise exception 'query must have at most 200 characters' using errcode = 'HR400', column = 'query';
  end if;
  wanted := app_search.beginnings(query);
  for attempt in 1..2 loop
    exit when wanted is null;
    -- ts_rank() compares every pair of positions where words are joined by `&`, which takes seconds for one long text.
    -- With `|` its time is proportional to the text.
    some_word := replace(wanted::text, ' & ', ' | ')::tsquery;
    some_whole_word := replace(some_word::text, ':*', '')::tsquery;
    return query
      select t.*
      from (
        select id, ts_rank(search, some_word) + ts_rank(search, some_whole_word) as rank
        from (
          select id, search from (
            select id, search,
              sum(pg_column_size(search)) over (order by created_at desc, id desc rows unbounded preceding) as bytes
            from (
              select id, created_at, search from app_public.tasks order by created_at desc, id desc limit 100000
            ) newest
          ) measured
          where bytes <= 32 * 1024 * 1024 and search @@ wanted
          limit 10000
        ) matching
      ) found
      join app_public.tasks t on t.id = found.id
      order by found.rank desc, t.created_at desc, t.id;
    exit when found;
    wanted := app_search.resembling(
      query, 'select search from app_public.tasks order by created_at desc, id desc limit 5000'
    );
  end loop;
end
$$;

comment on function app_public.search_tasks(text) is
  'Tasks with every word of `query` in their titles, best first, then newest. A word may be unfinished; where '
  'nothing matches, it may be misspelt. The first eight different words count. Of many tasks the newest are searched.';

grant execute on function app_public.search_tasks(text) to hedgerow_tenant;
--! EndIncluded functions/app_public.search_tasks.sql

--! Included policies/app_public.organizations.sql
-- Tenants only read: organizations change through the routes of /organizations, which check the member's role.
drop policy if exists select_own on app_public.organizations;
create policy select_own on app_public.organizations for select to hedgerow_tenant
  using (id = (select app_public.current_organization_id()));

-- The routes act for one organization at a time. To list a user's organizations, they need no current one.
drop policy if exists select_auth on app_public.organizations;
create policy select_auth on app_public.organizations for select to hedgerow_auth
  using (id = (select app_public.current_organization_id()) or exists (
    select from app_public.organization_members m
    where m.organization_id = organizations.id and m.user_id = (select app_public.current_user_id())
  ));

drop policy if exists insert_auth on app_public.organizations;
create policy insert_auth on app_public.organizations for insert to hedgerow_auth
  with check (id = (select app_public.current_organization_id()));

-- Only for row locks: no column is granted for update but updated_at.
drop policy if exists update_auth on app_public.organizations;
create policy update_auth on app_public.organizations for update to hedgerow_auth
  using (id = (select app_public.current_organization_id()))
  with check (id = (select app_public.current_organization_id()));

drop policy if exists delete_auth on app_public.organizations;
create policy delete_auth on app_public.organizations for delete to hedgerow_auth
  using (id = (select app_public.current_organization_id()));
--! EndIncluded policies/app_public.organizations.sql
--! Included policies/app_public.organization_members.sql
-- Tenants only read: members change through the routes of /organizations, which check the member's role. Users always
-- see their own memberships, so that policies can find all organizations of a user (docs/dba.md).
drop policy if exists select_own on app_public.organization_members;
create policy select_own on app_public.organization_members for select to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    or user_id = (select app_public.current_user_id()));

-- The identity statement reads the membership before the transaction has an identity.
drop policy if exists select_identity on app_public.organization_members;
create policy select_identity on app_public.organization_members for select to hedgerow_authenticator using (true);

drop policy if exists select_auth on app_public.organization_members;
create policy select_auth on app_public.organization_members for select to hedgerow_auth
  using (organization_id = (select app_public.current_organization_id())
    or user_id = (select app_public.current_user_id()));

drop policy if exists insert_auth on app_public.organization_members;
create policy insert_auth on app_public.organization_members for insert to hedgerow_auth
  with check (organization_id = (select app_public.current_organization_id()));

drop policy if exists update_auth on app_public.organization_members;
create policy update_auth on app_public.organization_members for update to hedgerow_auth
  using (organization_id = (select app_public.current_organization_id()))
  with check (organization_id = (select app_public.current_organization_id()));

drop policy if exists delete_auth on app_public.organization_members;
create policy delete_auth on app_public.organization_members for delete to hedgerow_auth
  using (organization_id = (select app_public.current_organization_id()));
--! EndIncluded policies/app_public.organization_members.sql
--! Included policies/app_public.organization_invitations.sql
-- Tenants only read. An invitation has a mail address, so it is for owners and admins.
drop policy if exists select_own on app_public.organization_invitations;
create policy select_own on app_public.organization_invitations for select to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin'));

drop policy if exists select_auth on app_public.organization_invitations;
create policy select_auth on app_public.organization_invitations for select to hedgerow_auth
  using (organization_id = (select app_public.current_organization_id()));

drop policy if exists insert_auth on app_public.organization_invitations;
create policy insert_auth on app_public.organization_invitations for insert to hedgerow_auth
  with check (organization_id = (select app_public.current_organization_id()));

drop policy if exists update_auth on app_public.organization_invitations;
create policy update_auth on app_public.organization_invitations for update to hedgerow_auth
  using (organization_id = (select app_public.current_organization_id()))
  with check (organization_id = (select app_public.current_organization_id()));

drop policy if exists delete_auth on app_public.organization_invitations;
create policy delete_auth on app_public.organization_invitations for delete to hedgerow_auth
  using (organization_id = (select app_public.current_organization_id()));
--! EndIncluded policies/app_public.organization_invitations.sql
--! Included policies/app_public.projects.sql
-- A viewer writes nothing. The role is part of each policy that writes.
drop policy if exists select_own on app_public.projects;
create policy select_own on app_public.projects for select to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id()));

drop policy if exists insert_own on app_public.projects;
create policy insert_own on app_public.projects for insert to hedgerow_tenant
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

drop policy if exists update_own on app_public.projects;
create policy update_own on app_public.projects for update to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'))
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

drop policy if exists delete_own on app_public.projects;
create policy delete_own on app_public.projects for delete to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));
--! EndIncluded policies/app_public.projects.sql
--! Included policies/app_public.tasks.sql
-- A viewer writes nothing. The role is part of each policy that writes.
drop policy if exists select_own on app_public.tasks;
create policy select_own on app_public.tasks for select to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id()));

drop policy if exists insert_own on app_public.tasks;
create policy insert_own on app_public.tasks for insert to hedgerow_tenant
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

drop policy if exists update_own on app_public.tasks;
create policy update_own on app_public.tasks for update to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'))
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

drop policy if exists delete_own on app_public.tasks;
create policy delete_own on app_public.tasks for delete to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));
--! EndIncluded policies/app_public.tasks.sql


-- Audit ---------------------------------------------------------------------------------------------------------------

-- The organization of the event, and the member whom it concerns.
alter table app_private.audit_log add column organization_id uuid, add column member_id uuid;

grant insert (organization_id, member_id) on app_private.audit_log to hedgerow_auth;

create view app_public.audit_events with (security_invoker = true) as
  select id, event, session_id, address, user_agent, created_at, organization_id, member_id from app_private.audit_log;

grant select on app_public.audit_events to hedgerow_tenant;

comment on view app_public.audit_events is
  E'@primaryKey id\nEvents of your account: sign-ins, failed ones too, ended sessions, changed passwords, changed members.';
comment on column app_public.audit_events.event is
  E'@notNull\nFor example `logged_in`, `login_failed`, `password_changed` or `member_removed`.';
comment on column app_public.audit_events.created_at is '@notNull';
comment on column app_public.audit_events.organization_id is 'The organization of the event; null for an account''s own events.';
comment on column app_public.audit_events.member_id is 'The `userId` of the member whom the event concerns.';
