-- The tables that most tests need. If a project has removed the example (docs/remove-example.sql), only its test
-- databases have them. test/dba/withoutExample.slow.test.ts compares this file with the migrations.
drop function if exists app_public.search_todos(text);
drop function if exists app_public.search_tasks(text);
drop table if exists app_public.todos, app_public.lists, app_public.tasks, app_public.projects;

create table app_public.lists (
  user_id uuid not null default app_public.current_user_id()
    constraint lists_user_id_fkey references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null check (char_length(name) between 1 and 255),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (user_id, id),
  unique (user_id, name)
);

create table app_public.todos (
  user_id uuid not null default app_public.current_user_id()
    constraint todos_user_id_fkey references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  title text not null check (char_length(title) between 1 and 255),
  description text check (char_length(description) <= 10000),
  completed boolean not null default false,
  priority smallint not null default 0 check (priority between 0 and 5),
  due_date date,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  search tsvector generated always as (
    setweight(app_search.words(title), 'A') || setweight(app_search.words(coalesce(description, '')), 'B')
  ) stored,
  primary key (user_id, id),
  foreign key (user_id, list_id) references app_public.lists (user_id, id) on delete set null (list_id)
);
create index todos_user_id_created_at_idx on app_public.todos (user_id, created_at, id);
create index todos_user_id_list_id_idx on app_public.todos (user_id, list_id, created_at, id);

create trigger set_updated_at before update on app_public.lists
  for each row execute function app_private.set_updated_at();
create trigger set_updated_at before update on app_public.todos
  for each row execute function app_private.set_updated_at();
select app_private.make_live('app_public.lists');
select app_private.make_live('app_public.todos');

alter table app_public.lists enable row level security, force row level security;
alter table app_public.todos enable row level security, force row level security;
create policy select_own on app_public.lists for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.lists for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.lists for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.lists for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy select_own on app_public.todos for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.todos for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.todos for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.todos for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

grant select, insert (id, name), update (name), delete on app_public.lists to hedgerow_tenant;
grant select, insert (id, list_id, title, description, completed, priority, due_date),
  update (list_id, title, description, completed, priority, due_date), delete on app_public.todos to hedgerow_tenant;

comment on column app_public.todos.search is e'@behavior -*\nThe words of title and description, kept by the database.';
comment on constraint lists_name_check on app_public.lists is 'name must have 1 to 255 characters';
comment on constraint lists_pkey on app_public.lists is 'there is a list with this rowId already';
comment on constraint lists_user_id_fkey on app_public.lists is 'there is no such user';
comment on constraint lists_user_id_name_key on app_public.lists is 'there is a list with this name already';
comment on constraint todos_description_check on app_public.todos is 'description must have at most 10000 characters';
comment on constraint todos_pkey on app_public.todos is 'there is a todo with this rowId already';
comment on constraint todos_priority_check on app_public.todos is 'priority must be a number from 0 to 5';
comment on constraint todos_title_check on app_public.todos is 'title must have 1 to 255 characters';
comment on constraint todos_user_id_fkey on app_public.todos is 'there is no such user';
comment on constraint todos_user_id_list_id_fkey on app_public.todos is 'listId must name a list of yours';

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

-- A viewer writes nothing. The role is part of each policy that writes.
create policy select_own on app_public.projects for select to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id()));

create policy insert_own on app_public.projects for insert to hedgerow_tenant
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

create policy update_own on app_public.projects for update to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'))
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

create policy delete_own on app_public.projects for delete to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

-- A viewer writes nothing. The role is part of each policy that writes.
create policy select_own on app_public.tasks for select to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id()));

create policy insert_own on app_public.tasks for insert to hedgerow_tenant
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

create policy update_own on app_public.tasks for update to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'))
  with check (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

create policy delete_own on app_public.tasks for delete to hedgerow_tenant
  using (organization_id = (select app_public.current_organization_id())
    and (select app_public.current_member_role()) in ('owner', 'admin', 'member'));

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
