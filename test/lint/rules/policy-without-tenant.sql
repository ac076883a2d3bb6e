-- expect: policy without_1 on app_public.notes
-- expect: policy without_2 on app_public.notes
-- expect: policy without_3 on app_public.notes
-- expect: policy without_4 on app_public.notes
-- expect: policy without_5 on app_public.notes
-- expect: policy without_7 on app_public.notes
-- expect: policy without_8 on app_public.notes
-- expect: policy without_9 on app_public.notes
-- expect: policy without_10 on app_public.notes
-- expect: policy without_12 on app_public.notes
-- expect: policy without_13 on app_public.notes
-- expect: policy without_14 on app_public.notes
-- expect: policy without_15 on app_public.notes
-- expect: policy without_16 on app_public.notes
-- expect: policy without_17 on app_public.notes
-- expect: policy without_18 on app_public.notes
-- expect: policy without_19 on app_public.notes
-- expect: policy without_20 on app_public.notes
-- expect: policy without_21 on app_public.notes
-- expect: policy without_22 on app_public.notes
-- expect: policy without_23 on app_public.notes
-- expect: policy without_24 on app_public.notes
-- expect: policy without_25 on app_public.notes
-- expect: policy without_26 on app_public.notes
-- expect: policy without_27 on app_public.notes
-- expect: policy without_28 on app_public.notes
-- expect: policy without_29 on app_public.notes
-- expect: policy without_written on app_public.notes
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
create table app_public.everybody (id uuid primary key);
insert into app_public.everybody values ('aaaaaaaa-0000-4000-8000-000000000000');
grant select on app_public.everybody to hedgerow_tenant;
create policy without_1 on app_public.notes for select to hedgerow_tenant using (not hidden);
create policy without_2 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) or not hidden);
create policy without_3 on app_public.notes for select to hedgerow_tenant using (title = 'x');
create policy without_4 on app_public.notes for select to hedgerow_tenant using (current_user = 'hedgerow_tenant');
create policy without_5 on app_public.notes for select to hedgerow_tenant using (members is not null);
create policy without_7 on app_public.notes for select to hedgerow_tenant using (case when hidden then user_id = (select app_public.current_user_id()) else true end);
create policy without_8 on app_public.notes for select to hedgerow_tenant using (case when user_id = (select app_public.current_user_id()) then true else not hidden end);
create policy without_9 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l where l.user_id = (select app_public.current_user_id())));
create policy without_10 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l where l.id = list_id));
create policy without_12 on app_public.notes for select to hedgerow_tenant using (list_id in (select l.id from app_public.lists l));
create policy without_13 on app_public.notes for select to hedgerow_tenant using ((select count(*) from app_public.lists l where l.user_id = (select app_public.current_user_id())) > 0);
create policy without_14 on app_public.notes for select to hedgerow_tenant using (user_id < (select app_public.current_user_id()));
create policy without_15 on app_public.notes for select to hedgerow_tenant using (user_id = (select current_setting('app.tenant'))::uuid);
create policy without_16 on app_public.notes for select to hedgerow_tenant using (coalesce(shared_with = (select app_public.current_user_id()), true));
create policy without_17 on app_public.notes for select to hedgerow_tenant using (list_id in (select l.id from app_public.lists l where l.user_id = (select app_public.current_user_id()) union all select null));
create policy without_18 on app_public.notes for select to hedgerow_tenant using (coalesce(not hidden, user_id = (select app_public.current_user_id())));
create policy without_19 on app_public.notes for select to hedgerow_tenant using (user_id = any (array[(select app_public.current_user_id()), list_id, members[1]]));
create policy without_written on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id())) with check (not hidden);
create function app_private.same(a uuid, b uuid) returns boolean language sql immutable begin atomic select true; end;
create operator app_private.= (leftarg = uuid, rightarg = uuid, function = app_private.same);
-- The key of lists is (user_id, id), so a tenant can create a list with the id of another tenant's list.
create policy without_20 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l where l.id = list_id and l.user_id = (select app_public.current_user_id())));
create policy without_21 on app_public.notes for select to hedgerow_tenant using (list_id in (select l.id from app_public.lists l where l.user_id = (select app_public.current_user_id())));
create policy without_22 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l join app_public.users u on u.id = l.user_id and u.id = (select app_public.current_user_id()) where l.id = list_id));
create policy without_23 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l where l.name = title and l.user_id = (select app_public.current_user_id())));
create policy without_24 on app_public.notes for select to hedgerow_tenant using (list_id = (select l.id from app_public.lists l where l.user_id = (select app_public.current_user_id())));
create policy without_25 on app_public.notes for select to hedgerow_tenant using (user_id::text::varchar(1) = (select app_public.current_user_id()::text::varchar(1)));
create policy without_26 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.users u where u.id = user_id and u.id = (select app_public.current_user_id()) having true));
create policy without_27 on app_public.notes for select to hedgerow_tenant using (user_id operator(app_private.=) (select app_public.current_user_id()));
-- No condition joins the table of the row with the table of the tenant.
create policy without_28 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.everybody u, app_public.lists l where u.id = notes.user_id and l.user_id = (select app_public.current_user_id())));
create policy without_29 on app_public.notes for select to hedgerow_tenant using (user_id in (select u.id from app_public.everybody u join app_public.lists l on true where l.user_id = (select app_public.current_user_id())));
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
create table app_public.everybody (id uuid primary key);
insert into app_public.everybody values ('aaaaaaaa-0000-4000-8000-000000000000');
grant select on app_public.everybody to hedgerow_tenant;
create policy bound_1 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy bound_2 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) and not hidden);
create policy bound_3 on app_public.notes for select to hedgerow_tenant using ((select app_public.current_user_id()) = user_id);
create policy bound_4 on app_public.notes for select to hedgerow_tenant using (user_id in (select app_public.current_user_id()));
create policy bound_5 on app_public.notes for select to hedgerow_tenant using (user_id = any (array[(select app_public.current_user_id())]));
create policy bound_6 on app_public.notes for select to hedgerow_tenant using (user_id = (select nullif(current_setting('app.current_user_id', true), '')::uuid));
create policy bound_7 on app_public.notes for select to hedgerow_tenant using (user_id::text = (select current_setting('app.current_user_id', true)));
create policy bound_8 on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()) or shared_with = (select app_public.current_user_id()));
create policy bound_9 on app_public.notes for select to hedgerow_tenant using ((select app_public.current_user_id()) = any (members));
create policy bound_13 on app_public.notes for select to hedgerow_tenant using (not (user_id <> (select app_public.current_user_id())));
create policy bound_14 on app_public.notes for select to hedgerow_tenant using (case when hidden then false else user_id = (select app_public.current_user_id()) end);
create policy bound_15 on app_public.notes for select to hedgerow_tenant using (coalesce(user_id = (select app_public.current_user_id()), false));
create policy bound_16 on app_public.notes for select to hedgerow_tenant using ((user_id = (select app_public.current_user_id())) is true);
create policy bound_17 on app_public.notes for select to hedgerow_tenant using (user_id is not distinct from (select app_public.current_user_id()));
create policy bound_18 on app_public.notes for select to hedgerow_tenant using (app_private.is_mine(user_id));
create policy bound_20 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l where l.user_id = notes.user_id and l.id = list_id and l.user_id = (select app_public.current_user_id())));
create policy bound_21 on app_public.notes for select to hedgerow_tenant using ((user_id, list_id) in (select l.user_id, l.id from app_public.lists l where l.user_id = (select app_public.current_user_id())));
create policy bound_22 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.users u where u.id = user_id and u.id = (select app_public.current_user_id()) and u.username = title));
create policy bound_23 on app_public.notes for select to hedgerow_tenant using (shared_with in (select u.id from app_public.users u where u.id = (select app_public.current_user_id())));
create policy bound_24 on app_public.notes for select to hedgerow_tenant using (user_id = (select u.id from app_public.users u where u.id = (select app_public.current_user_id())));
create policy bound_25 on app_public.notes for select to hedgerow_tenant using (user_id::text = (select app_public.current_user_id()::text));
create policy bound_26 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.everybody u join app_public.lists l on l.user_id = u.id where u.id = notes.user_id and l.user_id = (select app_public.current_user_id())));
create policy bound_27 on app_public.notes for select to hedgerow_tenant using (exists (select from app_public.lists l where notes.user_id = (select app_public.current_user_id())));
create policy narrower on app_public.notes as restrictive for select to hedgerow_tenant using (not hidden);
create policy select_auth on app_public.notes for select to hedgerow_auth using (not hidden);
