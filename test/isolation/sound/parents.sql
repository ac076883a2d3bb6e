-- Tables without an owner column, whose policies check the parent row's owner.

create table app_public.plans (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid primary key default gen_random_uuid(),
  name text not null
);
alter table app_public.plans enable row level security, force row level security;
create policy select_own on app_public.plans for select to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.plans for insert to hedgerow_tenant
  with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.plans for update to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()))
  with check (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.plans for delete to hedgerow_tenant
  using (user_id = (select app_public.current_user_id()));
grant select, insert (name), update (name), delete on app_public.plans to hedgerow_tenant;
create table app_public.steps (
  plan_id uuid not null references app_public.plans on delete cascade,
  number int not null,
  title text not null,
  state text not null default 'open' check (state in ('open', 'done')),
  done_at timestamptz,
  primary key (plan_id, number),
  check ((state = 'done') = (done_at is not null))
);
alter table app_public.steps enable row level security, force row level security;
create policy own on app_public.steps to hedgerow_tenant
  using (exists (select from app_public.plans p where p.id = plan_id and p.user_id = (select app_public.current_user_id())))
  with check (exists (select from app_public.plans p where p.id = plan_id and p.user_id = (select app_public.current_user_id())));
grant select, insert (plan_id, number, title), update (title, state, done_at), delete on app_public.steps to hedgerow_tenant;
create view app_public.open_steps with (security_invoker = true) as select number, title from app_public.steps where state = 'open';
grant select on app_public.open_steps to hedgerow_tenant;
create function app_public.task_count(plan uuid default null) returns bigint language sql stable
  as $$ select count(*) from app_public.steps where plan is null or plan_id = plan $$;
grant execute on function app_public.task_count(uuid) to hedgerow_tenant;
