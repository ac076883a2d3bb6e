-- The roles that Hedgerow's grants and policies speak of. They belong to the cluster, not to a database, so they are
-- made here and not in a migration. Safe to run again; needs CREATEROLE, not superuser (Neon's owner has it).
-- Passwords are given by `npm run db -- init`.

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

-- What the server connects as. NOINHERIT: it has nothing of the two roles below until a transaction becomes one.
alter role hedgerow_authenticator login noinherit nocreatedb nocreaterole;

-- What a tenant's transaction becomes, and what sign-in's transaction becomes. Nobody logs in as them.
alter role hedgerow_tenant nologin noinherit nocreatedb nocreaterole;
alter role hedgerow_auth nologin noinherit nocreatedb nocreaterole;

grant hedgerow_tenant, hedgerow_auth to hedgerow_authenticator;

-- Limits belong to the role: poolers refuse them as start-up parameters, and the server sets nothing for a session.
alter role hedgerow_authenticator set statement_timeout = '8s';
alter role hedgerow_authenticator set lock_timeout = '4s';
alter role hedgerow_authenticator set idle_in_transaction_session_timeout = '10s';

-- Short statements whose cost Postgres overestimates are slower with JIT, sometimes by a hundredfold.
alter role hedgerow_authenticator set jit = off;

-- Nothing is found by its bare name but what Postgres ships.
alter role hedgerow_authenticator set search_path = pg_catalog;
