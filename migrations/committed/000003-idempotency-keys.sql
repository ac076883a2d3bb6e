--! Previous: sha1:8807a12d2d6b69e4c1a03d2a035a70e9ded6fbc5
--! Hash: sha1:f1af80674617aefc1f300fd7ec4a0266fa92e6db
--! Message: idempotency keys

-- Answers to mutations that came with an Idempotency-Key, so that a client may send one again that it had no answer to.
drop table if exists app_public.idempotency_keys;

create table app_public.idempotency_keys (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  key text not null check (char_length(key) between 1 and 255),
  -- SHA-256 of the operation and its variables: the same key with another one is a mistake.
  request_hash bytea not null check (octet_length(request_hash) = 32),
  -- What was answered; written by the mutation's own transaction, so that it is there exactly if the mutation happened.
  answer text,
  created_at timestamptz not null default now(),
  primary key (user_id, key)
);

create index idempotency_keys_user_id_created_at_idx on app_public.idempotency_keys (user_id, created_at);

alter table app_public.idempotency_keys enable row level security, force row level security;

create policy select_own on app_public.idempotency_keys for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.idempotency_keys for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.idempotency_keys for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.idempotency_keys for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));

grant select, insert (key, request_hash), update (answer), delete on app_public.idempotency_keys to hedgerow_tenant;

comment on table app_public.idempotency_keys is '@behavior -*';
