-- expect: app_public.devices.password_hash
-- expect: app_public.devices."resetToken"
-- expect: app_public.devices."API-Key"
-- expect: app_public.devices.hash
-- expect: app_public.devices.ssn
-- expect: app_public.secrets_of_devices.password2
create table app_public.devices (
  user_id uuid, password_hash text, "resetToken" text, "API-Key" text, hash text, ssn text,
  request_hash bytea, tokenizer text, secretary text, passwordless boolean, client_secret text
);
grant select (user_id, password_hash, "resetToken", "API-Key", hash, ssn, request_hash, tokenizer, secretary, passwordless)
  on app_public.devices to hedgerow_tenant;
create view app_public.secrets_of_devices with (security_invoker = true) as
  select client_secret as password2 from app_public.devices;
grant select on app_public.secrets_of_devices to hedgerow_tenant;
-- fixed:
create table app_public.devices (user_id uuid, name text, password_hash text, request_hash bytea);
grant select (user_id, name, request_hash) on app_public.devices to hedgerow_tenant;
