-- expect: constraint notes_todo_id_fkey on app_public.notes
-- expect: constraint notes_shared_with_fkey on app_public.notes
-- expect: constraint notes_parent_id_fkey on app_public.notes
-- expect: constraint notes_session_id_fkey on app_public.notes
-- expect: constraint "The Wrong Way Round" on app_public.notes
-- expect: constraint notes_copied_id_fkey on app_public.notes
-- expect: constraint pages_list_id_fkey on app_public.pages
create unique index todos_id_idx on app_public.todos (id);
create unique index lists_id_idx on app_public.lists (id);
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users,
  id uuid unique,
  todo_id uuid references app_public.todos (id),
  shared_with uuid references app_public.users,
  parent_id uuid references app_public.notes (id) deferrable initially deferred,
  session_id uuid references app_private.sessions,
  list_id uuid references app_public.lists (id),
  copied_id uuid generated always as (coalesce(todo_id, parent_id)) stored references app_public.todos (id),
  constraint "The Wrong Way Round" foreign key (todo_id, user_id) references app_public.todos (user_id, id)
);
-- Tenants cannot choose the list.
grant insert (id, todo_id, shared_with, parent_id, session_id) on app_public.notes to hedgerow_tenant;
create table app_public.pages (user_id uuid, id uuid, list_id uuid references app_public.lists (id))
  partition by hash (id);
create table app_public.pages_0 partition of app_public.pages for values with (modulus 1, remainder 0);
grant update (list_id) on app_public.pages, app_public.pages_0 to hedgerow_tenant;
-- fixed:
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users,
  id uuid not null,
  todo_id uuid,
  parent_id uuid,
  primary key (user_id, id),
  foreign key (todo_id, user_id) references app_public.todos (id, user_id),
  foreign key (user_id, parent_id) references app_public.notes
);
grant insert (id, todo_id, parent_id) on app_public.notes to hedgerow_tenant;
