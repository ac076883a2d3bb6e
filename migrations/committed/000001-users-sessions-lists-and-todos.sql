--! Previous: -
--! Hash: sha1:fa3d8ae34c59cdb7a8649d107f94185aa6fb15e9
--! Message: users, sessions, lists and todos

-- Tenants' tables live in app_public, which becomes the API. What only sign-in may know lives in app_private.
drop schema if exists app_public cascade;
drop schema if exists app_private cascade;
create schema app_public;
create schema app_private;

grant usage on schema app_public to hedgerow_tenant, hedgerow_auth;
grant usage on schema app_private to hedgerow_auth, hedgerow_authenticator;

-- The server may connect; nobody may make temporary tables, whose names could shadow ours.
do $$
begin
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to hedgerow_authenticator', current_database());
end
$$;

-- A new function can be run by nobody but its owner until a grant says otherwise.
alter default privileges revoke execute on functions from public;


-- Identity ------------------------------------------------------------------------------------------------------------

-- After `set local` a reused connection reads the empty string, not null: both mean nobody.
create function app_public.current_user_id() returns uuid
  language sql stable parallel safe
  as $$ select nullif(current_setting('app.current_user_id', true), '')::uuid $$;

comment on function app_public.current_user_id() is
  E'@behavior -*\nThe tenant that this transaction speaks for; null when it speaks for nobody.';

-- hedgerow_auth too: the default of user_id is evaluated as the role that inserts.
grant execute on function app_public.current_user_id() to hedgerow_tenant, hedgerow_auth;

-- The identity statement calls this where it finds no living session, so that the statement behind it never runs.
create function app_private.refuse_identity() returns text
  language plpgsql volatile
  set search_path = ''
  as $$ begin raise exception 'no living session of an active user' using errcode = 'HR401'; end $$;

grant execute on function app_private.refuse_identity() to hedgerow_authenticator;

create function app_private.set_updated_at() returns trigger
  language plpgsql
  set search_path = ''
  as $$ begin new.updated_at = pg_catalog.now(); return new; end $$;


-- Users and sign-in ---------------------------------------------------------------------------------------------------

create table app_public.users (
  id uuid primary key default gen_random_uuid(),
  email text not null unique
    check (char_length(email) between 3 and 255 and email = lower(email) and email like '_%@_%'),
  username text not null
    check (username ~ '^[A-Za-z0-9_-]{3,50}$'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Two names that differ only in case would be taken for one another.
create unique index users_username_key on app_public.users (lower(username));

create trigger set_updated_at before update on app_public.users
  for each row execute function app_private.set_updated_at();

alter table app_public.users enable row level security, force row level security;

-- Not granted to tenants: insert, update, delete. Accounts change through sign-in, which asks for the password.
create policy select_own on app_public.users for select to hedgerow_tenant
  using (id = (select app_public.current_user_id()));
grant select on app_public.users to hedgerow_tenant;

-- Sign-in finds accounts by their address before anybody is signed in, so its policies cannot speak of an owner.
create policy select_auth on app_public.users for select to hedgerow_auth using (true);
create policy insert_auth on app_public.users for insert to hedgerow_auth with check (true);
create policy update_auth on app_public.users for update to hedgerow_auth using (true) with check (true);
create policy delete_auth on app_public.users for delete to hedgerow_auth using (true);
grant select, insert (email, username), update (email, username), delete on app_public.users to hedgerow_auth;

comment on table app_public.users is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single';

create table app_private.credentials (
  user_id uuid primary key references app_public.users on delete cascade,
  password_hash text not null check (password_hash like '$argon2id$%'),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create trigger set_updated_at before update on app_private.credentials
  for each row execute function app_private.set_updated_at();

-- One row per sign-in. An access token names its row, so that ending the row ends the token.
create table app_private.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references app_public.users on delete cascade,
  -- SHA-256 of the refresh token: whoever reads this table cannot sign in with it.
  refresh_token_hash bytea not null unique check (octet_length(refresh_token_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz
);

create index sessions_user_id_idx on app_private.sessions (user_id);

-- The transaction in which a user last wrote, kept only where reads go to a replica: one that does not show it yet is
-- not asked.
create table app_private.last_writes (
  user_id uuid primary key references app_public.users on delete cascade,
  transaction xid8 not null
);

grant select, insert, update, delete on app_private.credentials, app_private.sessions to hedgerow_auth;
grant select, insert, update on app_private.last_writes to hedgerow_auth;

-- What the server may read before it has become anybody: whether a session lives, its user is active, and what a
-- replica must show.
grant select (id, user_id, expires_at, revoked_at) on app_private.sessions to hedgerow_authenticator;
grant select (user_id, is_active) on app_private.credentials to hedgerow_authenticator;
grant select on app_private.last_writes to hedgerow_authenticator;

-- And which migrations were applied, to refuse a database that does not fit the code.
grant usage on schema graphile_migrate to hedgerow_authenticator;
grant select (filename, hash) on graphile_migrate.migrations to hedgerow_authenticator;


-- Lists and todos -----------------------------------------------------------------------------------------------------

-- Every key leads with user_id: a key that spans tenants would tell one of them what another has. The API names a row
-- by `id` alone, and finds it through the same index, because the policy adds user_id.
create table app_public.lists (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null check (char_length(name) between 1 and 255),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (user_id, id),
  unique (user_id, name)
);

create table app_public.todos (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  title text not null check (char_length(title) between 1 and 255),
  description text check (char_length(description) <= 10000),
  completed boolean not null default false,
  priority smallint not null default 0 check (priority between 0 and 5),
  due_date date,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (user_id, id),
  -- With user_id: a plain key to lists (id) would accept a list that the tenant cannot even see.
  foreign key (user_id, list_id) references app_public.lists (user_id, id) on delete set null (list_id)
);

-- The newest of a tenant, and the newest of a list: in the order that the API asks for, so that nothing is sorted.
create index todos_user_id_created_at_idx on app_public.todos (user_id, created_at, id);
create index todos_user_id_list_id_idx on app_public.todos (user_id, list_id, created_at, id);

create trigger set_updated_at before update on app_public.lists
  for each row execute function app_private.set_updated_at();
create trigger set_updated_at before update on app_public.todos
  for each row execute function app_private.set_updated_at();

alter table app_public.lists enable row level security, force row level security;
alter table app_public.todos enable row level security, force row level security;

-- The update and delete policies are whole by themselves: an UPDATE without WHERE does not ask the select policy.
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

-- Not granted: user_id, which is always the tenant; created_at and updated_at, which the database keeps.
grant select, insert (id, name), update (name), delete
  on app_public.lists to hedgerow_tenant;
grant
  select,
  insert (id, list_id, title, description, completed, priority, due_date),
  update (list_id, title, description, completed, priority, due_date),
  delete
  on app_public.todos to hedgerow_tenant;

-- The signed-in user, as the API's `currentUser`.
create function app_public.current_user() returns app_public.users
  language sql stable
  as $$ select * from app_public.users where id = app_public.current_user_id() $$;

grant execute on function app_public.current_user() to hedgerow_tenant;
