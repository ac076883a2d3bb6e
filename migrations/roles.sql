-- Creates the roles of Hedgerow's grants and policies. Roles belong to the cluster and not to a database, so no migration
-- creates them. Safe to run again. Needs CREATEROLE, which Neon's owner has, but not a superuser.
-- `npm run db -- init` sets the passwords.

do $$
declare
  name text;
begin
  foreach name in array array['hedgerow_owner', 'hedgerow_authenticator', 'hedgerow_tenant', 'hedgerow_auth'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = name) then
      execute format('create role %I', name);
    end if;
  end loop;
end
$$;

-- Owns the objects and runs migrations.
alter role hedgerow_owner login noinherit nocreaterole;

-- The server connects as this role. NOINHERIT: it has no rights of the two roles below until a transaction sets one.
alter role hedgerow_authenticator login noinherit nocreatedb nocreaterole;

-- Roles of a tenant's transaction and of sign-in's transaction. Nobody logs in as them.
alter role hedgerow_tenant nologin noinherit nocreatedb nocreaterole;
alter role hedgerow_auth nologin noinherit nocreatedb nocreaterole;

grant hedgerow_tenant, hedgerow_auth to hedgerow_authenticator;

-- Timeouts belong to the role, because poolers refuse them as start-up parameters and the server sets nothing for a session.
alter role hedgerow_authenticator set statement_timeout = '8s';
alter role hedgerow_authenticator set lock_timeout = '4s';
alter role hedgerow_authenticator set idle_in_transaction_session_timeout = '10s';

-- JIT slows down short statements whose cost Postgres overestimates, sometimes by a factor of a hundred.
alter role hedgerow_authenticator set jit = off;

-- Unqualified names find only objects that Postgres ships.
alter role hedgerow_authenticator set search_path = pg_catalog;
