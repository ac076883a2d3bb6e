-- expect: policy always_1 on app_public.notes
-- expect: policy always_2 on app_public.notes
-- expect: policy always_3 on app_public.notes
-- expect: policy always_4 on app_public.notes
-- expect: policy always_5 on app_public.notes
-- expect: policy always_6 on app_public.notes
-- expect: policy always_7 on app_public.notes
-- expect: policy always_8 on app_public.notes
-- expect: policy always_9 on app_public.notes
-- expect: policy always_10 on app_public.notes
-- expect: policy always_11 on app_public.notes
-- expect: policy always_12 on app_public.notes
-- expect: policy always_13 on app_public.notes
-- expect: policy always_14 on app_public.notes
-- expect: policy always_15 on app_public.notes
-- expect: policy always_16 on app_public.notes
-- expect: policy always_17 on app_public.notes
-- expect: policy always_others on app_public.notes
-- expect: policy always_unlisted on app_public.notes
-- expect: policy always_written on app_public.notes
-- expect: policy "Always, for everybody" on app_public.notes
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
create policy always_1 on app_public.notes for select to hedgerow_tenant using (true);
create policy always_2 on app_public.notes for select to hedgerow_tenant using (1 = 1);
create policy always_3 on app_public.notes for select to hedgerow_tenant using ('a' <> 'b');
create policy always_4 on app_public.notes for select to hedgerow_tenant using (true or user_id = (select app_public.current_user_id()));
create policy always_5 on app_public.notes for select to hedgerow_tenant using (user_id = user_id);
create policy always_6 on app_public.notes for select to hedgerow_tenant using (user_id is not null);
create policy always_7 on app_public.notes for select to hedgerow_tenant using (not false);
create policy always_8 on app_public.notes for select to hedgerow_tenant using ((select true));
create policy always_9 on app_public.notes for select to hedgerow_tenant using (exists (select 1));
create policy always_10 on app_public.notes for select to hedgerow_tenant using (coalesce(true, hidden));
create policy always_11 on app_public.notes for select to hedgerow_tenant using (hidden is not null and title is not null);
create policy always_12 on app_public.notes for select to hedgerow_tenant using (user_id is not distinct from user_id);
create policy always_13 on app_public.notes for select to hedgerow_tenant using (case when hidden then true else true end);
create policy always_14 on app_public.notes for select to hedgerow_tenant using ((title = title) is true);
create policy always_15 on app_public.notes for select to hedgerow_tenant using (title <= title);
create policy always_16 on app_public.notes for select to hedgerow_tenant using (user_id <> app_public.current_user_id());
create policy always_17 on app_public.notes for select to hedgerow_tenant using (app_public.current_user_id() is not null);
create policy always_others on app_public.notes for select to hedgerow_tenant
  using (not (user_id = (select app_public.current_user_id())));
create policy always_unlisted on app_public.notes for select to hedgerow_tenant using (not exists (
  select from app_public.lists l where l.user_id = notes.user_id and l.id = list_id and l.user_id = (select app_public.current_user_id())));
create policy always_written on app_public.notes for insert to hedgerow_tenant with check (true);
create policy "Always, for everybody" on app_public.notes using (true);
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

create policy select_own on app_public.notes for select to hedgerow_tenant using (true and user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy narrower on app_public.notes as restrictive for select to hedgerow_tenant using (true);
create policy select_auth on app_public.notes for select to hedgerow_auth using (true);
