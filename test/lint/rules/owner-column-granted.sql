-- expect: app_public.todos.user_id
-- expect: app_public.lists.user_id
-- expect: app_public.users.id
-- expect: app_public.notes."Owner"
-- expect: app_private.drafts.author
grant update on app_public.todos to hedgerow_tenant;
grant insert (user_id, id, name) on app_public.lists to public;
grant update (id) on app_public.users to hedgerow_tenant;
create table app_public.notes ("Owner" uuid default app_public.current_user_id(), user_id uuid, body text);
grant insert on app_public.notes to hedgerow_tenant;
-- Without a default and a foreign key, a policy identifies the owner column.
create table app_private.drafts (id uuid, author uuid, body text);
create policy insert_own on app_private.drafts for insert to hedgerow_tenant
  with check (author = (select app_public.current_user_id()) and length(body) < 100);
grant insert on app_private.drafts to hedgerow_tenant;
-- fixed:
grant update (title) on app_public.todos to hedgerow_tenant;
create table app_public.notes ("Owner" uuid default app_public.current_user_id(), user_id uuid, body text);
grant insert (body, user_id) on app_public.notes to hedgerow_tenant;
create table app_private.drafts (id uuid, author uuid default app_public.current_user_id(), body text);
create policy insert_own on app_private.drafts for insert to hedgerow_tenant
  with check (author = app_public.current_user_id());
grant insert (id, body) on app_private.drafts to hedgerow_tenant;
