--! Previous: sha1:7e62f8587909ebcd23635065e2f708c73ae9aa43
--! Hash: sha1:fddf619432811fdbee2fc798e518c929018284ce
--! Message: show the check of addresses in one way

-- The condition stays the same. Written with `between`, it was shown in another way after a dump and its restore.
set local lock_timeout = '1s';
-- Every row satisfies it, as the constraint before did. The next migration validates it, in a transaction that locks out no
-- reads or writes: here the pass over all rows would.
alter table app_public.users
  drop constraint if exists users_email_check,
  add constraint users_email_check check (
    char_length(email) >= 3 and char_length(email) <= 255 and email = lower(email) and email like '_%@_%'
  ) not valid;
comment on constraint users_email_check on app_public.users is 'email must be an address of 3 to 255 characters, in lower case';
