-- expect: constraint notes_todo_id_fkey on app_public.notes
-- expect: constraint notes_reviewer_fkey on app_public.notes
-- expect: constraint notes_list_id_fkey on app_public.notes
-- expect: constraint notes_user_id_list_id_fkey on app_public.notes
-- expect: constraint devices_session_id_fkey on app_private.devices
-- expect: constraint documents_author_id_fkey on app_public.documents
create unique index todos_id_idx on app_public.todos (id);
create unique index lists_id_idx on app_public.lists (id);
create table app_public.notes (
  user_id uuid default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid,
  todo_id uuid references app_public.todos (id) on delete cascade,
  reviewer uuid references app_public.users on delete set null,
  list_id uuid references app_public.lists (id) on update cascade,
  other_id uuid references app_public.lists (id) on delete restrict,
  -- Without a column list, user_id becomes null as well.
  foreign key (user_id, list_id) references app_public.lists (user_id, id) on delete set null
);
create table app_private.devices (
  user_id uuid references app_public.users on delete cascade,
  session_id uuid references app_private.sessions on delete set default
);
create table app_public.documents (
  organization_id uuid references app_public.organizations on delete cascade,
  id uuid,
  -- The documents of the organization would go with the account of their author.
  author_id uuid references app_public.users on delete cascade,
  primary key (organization_id, id)
);
-- fixed:
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid,
  todo_id uuid,
  list_id uuid,
  foreign key (user_id, todo_id) references app_public.todos (user_id, id) on delete cascade on update cascade,
  foreign key (user_id, list_id) references app_public.lists (user_id, id) on delete set null (list_id)
);
create table app_public.watchers (
  organization_id uuid references app_public.organizations on delete cascade,
  user_id uuid references app_public.users on delete cascade,
  primary key (organization_id, user_id)
);
