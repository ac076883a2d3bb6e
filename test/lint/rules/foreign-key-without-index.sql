-- expect: constraint notes_user_id_todo_id_fkey on app_public.notes
-- expect: constraint notes_session_id_fkey on app_public.notes
-- expect: constraint pages_user_id_fkey on app_public.pages
-- expect: constraint devices_owner_fkey on app_private.devices
create table app_public.notes (
  user_id uuid references app_public.users,
  id uuid,
  todo_id uuid,
  list_id uuid,
  session_id uuid references app_private.sessions,
  primary key (user_id, id),
  foreign key (user_id, todo_id) references app_public.todos (user_id, id),
  foreign key (user_id, list_id) references app_public.lists (user_id, id)
);
create index on app_public.notes (user_id, id, todo_id);
create index on app_public.notes (user_id) include (todo_id);
create index on app_public.notes (list_id, user_id, id) where list_id is not null;
create index on app_public.notes (session_id) where id is not null and todo_id is null;
create table app_public.pages (user_id uuid references app_public.users, day date) partition by range (day);
create table app_public.pages_2026 partition of app_public.pages for values from ('2026-01-01') to ('2027-01-01');
create table app_private.devices (owner uuid references app_public.users, name text);
create index on app_private.devices using brin (owner);
-- fixed:
create table app_public.notes (
  user_id uuid references app_public.users,
  id uuid,
  todo_id uuid,
  session_id uuid references app_private.sessions,
  primary key (user_id, id),
  foreign key (user_id, todo_id) references app_public.todos (user_id, id)
);
create index on app_public.notes (user_id, todo_id, id);
create index on app_public.notes using hash (session_id);
create table app_private.devices (owner uuid references app_public.users, name text) partition by list (name);
create index on app_private.devices (owner);
create table app_private.phones partition of app_private.devices for values in ('phone');
