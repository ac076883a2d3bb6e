--! Previous: sha1:fa3d8ae34c59cdb7a8649d107f94185aa6fb15e9
--! Hash: sha1:8807a12d2d6b69e4c1a03d2a035a70e9ded6fbc5
--! Message: sign-in and accounts

-- Everything below can run twice.
drop view if exists app_public.audit_events;
drop table if exists app_private.audit_log, app_private.rate_limits, app_private.mail_tokens,
  app_private.external_identities;
drop function if exists app_private.refuse_change(), app_private.refuse_tokens_of_deleted_user();
alter table app_public.users drop column if exists email_verified_at;
alter table app_private.sessions
  drop column if exists family_hash,
  drop column if exists previous_token_hash,
  drop column if exists sealed_successor,
  drop column if exists rotated_at,
  drop column if exists last_used_at,
  drop column if exists address,
  drop column if exists user_agent;


-- Sessions: one row per family of refresh tokens ----------------------------------------------------------------------

-- A refresh token has two parts: one that names the family and stays, and one that changes with each use. Both are
-- stored as SHA-256. Who presents the right family with any but the newest second part presents a token that was used.
alter table app_private.sessions
  add column family_hash bytea check (octet_length(family_hash) = 32),
  -- The parent of the newest token, tolerated for seconds after its use, because the answer may have been lost.
  add column previous_token_hash bytea check (octet_length(previous_token_hash) = 32),
  -- The newest second part, sealed with the parent's: only who holds the parent can be given the same answer again.
  add column sealed_successor bytea check (octet_length(sealed_successor) = 32),
  add column rotated_at timestamptz,
  add column last_used_at timestamptz not null default now(),
  -- Where the session was begun.
  add column address inet,
  add column user_agent text check (char_length(user_agent) <= 512);

update app_private.sessions set family_hash = refresh_token_hash;

alter table app_private.sessions
  alter column family_hash set not null,
  add constraint sessions_family_hash_key unique (family_hash);


-- Accounts ------------------------------------------------------------------------------------------------------------

alter table app_public.users add column email_verified_at timestamptz;
grant update (email_verified_at) on app_public.users to hedgerow_auth;

-- Who signs in with another issuer has no password here.
alter table app_private.credentials alter column password_hash drop not null;

-- Users of a trusted issuer. A deleted user's row stays, without the user, so that a token from before the deletion does
-- not make the account anew.
create table app_private.external_identities (
  issuer text not null check (char_length(issuer) between 1 and 255),
  subject text not null check (char_length(subject) between 1 and 255),
  user_id uuid unique references app_public.users on delete set null,
  -- Tokens that were issued before this are refused.
  not_before timestamptz not null default '-infinity',
  created_at timestamptz not null default now(),
  primary key (issuer, subject)
);

create function app_private.refuse_tokens_of_deleted_user() returns trigger
  language plpgsql
  set search_path = ''
  as $$ begin new.not_before = pg_catalog.now(); return new; end $$;

create trigger refuse_tokens_of_deleted_user before update of user_id on app_private.external_identities
  for each row when (old.user_id is not null and new.user_id is null)
  execute function app_private.refuse_tokens_of_deleted_user();

grant select, insert, update on app_private.external_identities to hedgerow_auth;
grant select (issuer, subject, user_id, not_before) on app_private.external_identities to hedgerow_authenticator;

-- Tokens that were sent by mail: one of a kind for each user, so that a new one replaces the one before.
create table app_private.mail_tokens (
  user_id uuid not null references app_public.users on delete cascade,
  purpose text not null check (purpose in ('reset password', 'verify email')),
  -- SHA-256, as of refresh tokens.
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  -- The address it was sent to: it says nothing of another one.
  email text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (user_id, purpose)
);

grant select, insert, update, delete on app_private.mail_tokens to hedgerow_auth;


-- Limits --------------------------------------------------------------------------------------------------------------

-- What rate-limiter-flexible counts in; its columns and their order are the library's. Unlogged: it is written at every
-- sign-in, and a crash may forget it.
create unlogged table app_private.rate_limits (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);

create index rate_limits_expire_idx on app_private.rate_limits (expire);

grant select, insert, update, delete on app_private.rate_limits to hedgerow_auth;


-- Audit ---------------------------------------------------------------------------------------------------------------

-- What happened to accounts: who, what, when, from where. No foreign keys: it outlives what it speaks of, and nothing
-- that happens elsewhere changes it.
create table app_private.audit_log (
  id uuid primary key default gen_random_uuid(),
  -- Null where a sign-in failed for an account that does not exist.
  user_id uuid,
  session_id uuid,
  event text not null check (event ~ '^[a-z_]{3,50}$'),
  address inet,
  user_agent text check (char_length(user_agent) <= 512),
  created_at timestamptz not null default now()
);

create index audit_log_user_id_created_at_idx on app_private.audit_log (user_id, created_at, id);

create function app_private.refuse_change() returns trigger
  language plpgsql
  set search_path = ''
  as $$ begin raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege'; end $$;

-- For its owner too: grants alone would not stop who owns the table.
create trigger append_only before update or delete or truncate on app_private.audit_log
  for each statement execute function app_private.refuse_change();

alter table app_private.audit_log enable row level security, force row level security;

-- Not granted to anybody: update and delete.
create policy select_own on app_private.audit_log for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select on app_private.audit_log to hedgerow_tenant;
create policy insert_auth on app_private.audit_log for insert to hedgerow_auth with check (true);
grant insert (user_id, session_id, event, address, user_agent) on app_private.audit_log to hedgerow_auth;

-- The same as the API shows it: the view asks the policies of the table for whoever reads it.
create view app_public.audit_events with (security_invoker = true) as
  select id, event, session_id, address, user_agent, created_at from app_private.audit_log;

grant select on app_public.audit_events to hedgerow_tenant;

comment on view app_public.audit_events is
  E'@primaryKey id\nWhat happened to your account: sign-ins, failed ones too, ended sessions, changed passwords.';

-- What a view's columns do not say by themselves.
comment on column app_public.audit_events.event is E'@notNull\nSuch as `logged_in`, `login_failed` or `password_changed`.';
comment on column app_public.audit_events.created_at is '@notNull';
