--! Previous: sha1:f024ece40ebbff8b25e04be28cd71e9631010fde
--! Hash: sha1:e36a9f5c853ec9e84d7e31e4719b58a5114463ac
--! Message: show the check of addresses in one way

-- The condition stays the same. Written with `between`, it was shown in another way after a dump and its restore.
set local lock_timeout = '1s';
-- The table is locked for one pass over its rows.
alter table app_public.users
  drop constraint if exists users_email_check,
  add constraint users_email_check check (
    char_length(email) >= 3 and char_length(email) <= 255 and email = lower(email) and email like '_%@_%'
  );
comment on constraint users_email_check on app_public.users is 'email must be an address of 3 to 255 characters, in lower case';
