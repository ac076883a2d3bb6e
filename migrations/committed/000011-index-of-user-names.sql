--! Previous: sha1:3c57ebe3518794ca25b84033538591ceca2dd8b6
--! Hash: sha1:a04aca820941d9a66d4dc3302374f2277e373392
--! Message: index of user names

--! no-transaction
create unique index concurrently if not exists users_id_username_idx on app_public.users (id, username);
