-- expect: policy null_1 on app_public.notes
-- expect: policy null_2 on app_public.notes
-- expect: policy null_3 on app_public.notes
-- expect: policy null_4 on app_public.notes
-- expect: policy null_5 on app_public.notes
-- expect: policy null_6 on app_public.notes
-- expect: policy null_7 on app_public.notes
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;
create policy null_1 on app_public.notes for select to hedgerow_tenant using (coalesce((select app_public.current_user_id()), user_id) = user_id);
create policy null_2 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) or (select app_public.current_user_id()) is null);
create policy null_3 on app_public.notes for select to hedgerow_tenant using (coalesce(user_id = (select app_public.current_user_id()), true));
create policy null_4 on app_public.notes for select to hedgerow_tenant using (shared_with is not distinct from (select app_public.current_user_id()));
create policy null_5 on app_public.notes for select to hedgerow_tenant using ((user_id = (select app_public.current_user_id())) is not false);
create policy null_6 on app_public.notes for select to hedgerow_tenant using (case when (select app_public.current_user_id()) is null then true else user_id = (select app_public.current_user_id()) end);
create policy null_7 on app_public.notes for select to hedgerow_tenant using (user_id = coalesce(nullif(current_setting('app.current_user_id', true), '')::uuid, user_id));
-- fixed:
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  shared_with uuid,
  members uuid[],
  title text not null,
  hidden boolean not null default false,
  primary key (user_id, id)
);
alter table app_public.notes enable row level security, force row level security;

create function app_private.is_mine(owner uuid) returns boolean language sql stable
  begin atomic select owner = app_public.current_user_id(); end;
create policy safe_1 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy safe_2 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and not hidden);
create policy safe_3 on app_public.notes for select to hedgerow_tenant using ((select app_public.current_user_id()) = user_id);
create policy safe_4 on app_public.notes for select to hedgerow_tenant using (user_id in (select app_public.current_user_id()));
create policy safe_5 on app_public.notes for select to hedgerow_tenant using (user_id = any (array[(select app_public.current_user_id())]));
create policy safe_6 on app_public.notes for select to hedgerow_tenant using (user_id = (select nullif(current_setting('app.current_user_id', true), '')::uuid));
create policy safe_7 on app_public.notes for select to hedgerow_tenant using (user_id::text = (select current_setting('app.current_user_id', true)));
create policy safe_8 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) or shared_with = (select app_public.current_user_id()));
create policy safe_9 on app_public.notes for select to hedgerow_tenant using ((select app_public.current_user_id()) = any (members));
create policy safe_13 on app_public.notes for select to hedgerow_tenant using (not (user_id <> (select app_public.current_user_id())));
create policy safe_14 on app_public.notes for select to hedgerow_tenant using (case when hidden then false else user_id = (select app_public.current_user_id()) end);
create policy safe_15 on app_public.notes for select to hedgerow_tenant using (coalesce(user_id = (select app_public.current_user_id()), false));
create policy safe_16 on app_public.notes for select to hedgerow_tenant using ((user_id = (select app_public.current_user_id())) is true);
create policy safe_17 on app_public.notes for select to hedgerow_tenant using (user_id is not distinct from (select app_public.current_user_id()));
create policy safe_18 on app_public.notes for select to hedgerow_tenant using (app_private.is_mine(user_id));
create policy safe_20 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l where l.user_id = notes.user_id and l.id = list_id and l.user_id = (select app_public.current_user_id())));
create policy safe_21 on app_public.notes for select to hedgerow_tenant using ((user_id, list_id) in (select l.user_id, l.id from app_public.lists l where l.user_id = (select app_public.current_user_id())));
create policy safe_22 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.users u where u.id = user_id and u.id = (select app_public.current_user_id()) and u.username = title));
create policy safe_23 on app_public.notes for select to hedgerow_tenant using (shared_with in (select u.id from app_public.users u where u.id = (select app_public.current_user_id())));
create policy safe_24 on app_public.notes for select to hedgerow_tenant using (user_id = (select u.id from app_public.users u where u.id = (select app_public.current_user_id())));
create policy safe_25 on app_public.notes for select to hedgerow_tenant using (user_id::text = (select app_public.current_user_id()::text));
create policy narrower on app_public.notes as restrictive for select to hedgerow_tenant using (not hidden);
create policy select_auth on app_public.notes for select to hedgerow_auth using (not hidden);
