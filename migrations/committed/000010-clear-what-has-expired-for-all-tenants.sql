--! Previous: sha1:fddf619432811fdbee2fc798e518c929018284ce
--! Hash: sha1:3c57ebe3518794ca25b84033538591ceca2dd8b6
--! Message: clear what has expired for all tenants

-- Let one job clear what has expired, for all tenants: idempotency keys after a day, and lines of the audit log after
-- AUDIT_RETENTION_DAYS. See docs/adr/0022-expiry-for-all-tenants.md.
set local lock_timeout = '1s';

-- Added by the migration before. It comes first: nothing else is locked while it reads all rows, and users can be written.
alter table app_public.users validate constraint users_email_check;

grant select (user_id, key, created_at), delete on app_public.idempotency_keys to hedgerow_auth;
grant select (id, created_at), delete on app_private.audit_log to hedgerow_auth;

-- Its table has the keys of one day: writes wait for a moment.
create index if not exists idempotency_keys_created_at_idx on app_public.idempotency_keys (created_at);

--! Included functions/app_private.refuse_change.sql
-- Refuses changes of an append-only table, except deletions by hedgerow_auth: its policies say what it may delete.
create or replace function app_private.refuse_change() returns trigger
  language plpgsql
  set search_path = ''
  as $$
begin
  if tg_op = 'DELETE' and current_user = 'hedgerow_auth' then
    return null;
  end if;
  raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;
--! EndIncluded functions/app_private.refuse_change.sql
--! Included policies/app_public.idempotency_keys.sql
drop policy if exists select_own on app_public.idempotency_keys;
create policy select_own on app_public.idempotency_keys for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

drop policy if exists insert_own on app_public.idempotency_keys;
create policy insert_own on app_public.idempotency_keys for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists update_own on app_public.idempotency_keys;
create policy update_own on app_public.idempotency_keys for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));

drop policy if exists delete_own on app_public.idempotency_keys;
create policy delete_own on app_public.idempotency_keys for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

-- For the job that clears expired keys of all tenants: it reaches nothing else.
drop policy if exists select_expired on app_public.idempotency_keys;
create policy select_expired on app_public.idempotency_keys for select to hedgerow_auth
  using (created_at < now() - interval '24 hours');

drop policy if exists delete_expired on app_public.idempotency_keys;
create policy delete_expired on app_public.idempotency_keys for delete to hedgerow_auth
  using (created_at < now() - interval '24 hours');
--! EndIncluded policies/app_public.idempotency_keys.sql
--! Included policies/app_private.audit_log.sql
-- Nobody may update. Only the job that enforces AUDIT_RETENTION_DAYS may delete, and no line of the last 30 days.
drop policy if exists select_own on app_private.audit_log;
create policy select_own on app_private.audit_log for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

drop policy if exists insert_auth on app_private.audit_log;
create policy insert_auth on app_private.audit_log for insert to hedgerow_auth with check (true);

drop policy if exists select_expired on app_private.audit_log;
create policy select_expired on app_private.audit_log for select to hedgerow_auth
  using (created_at < now() - interval '30 days');

drop policy if exists delete_expired on app_private.audit_log;
create policy delete_expired on app_private.audit_log for delete to hedgerow_auth
  using (created_at < now() - interval '30 days');
--! EndIncluded policies/app_private.audit_log.sql
