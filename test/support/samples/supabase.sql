-- A database like those of Supabase: accounts in auth.users, claims in request.jwt.claims, and the roles of PostgREST.
create schema auth;
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid
$$;
create function auth.role() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
  )::text
$$;
create table auth.users (
  id uuid primary key,
  email text unique,
  created_at timestamptz not null default now()
);
alter table auth.users enable row level security;
grant usage on schema auth, public to anon, authenticated;

create table public.profiles (
  id uuid primary key references auth.users on delete cascade,
  username text not null,
  website text
);
create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, username) values (new.id, split_part(new.email, '@', 1));
  return new;
end
$$;
revoke all on function public.handle_new_user() from public;
create trigger on_auth_user_created after insert on auth.users
  for each row execute function public.handle_new_user();

create table public.projects (
  user_id uuid not null default auth.uid() references auth.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  primary key (user_id, id)
);
create table public.documents (
  user_id uuid not null default auth.uid() references auth.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  project_id uuid not null,
  title text not null,
  body text,
  primary key (user_id, id),
  foreign key (user_id, project_id) references public.projects on delete cascade
);
create index on public.documents (user_id, project_id);
create view public.titles with (security_invoker = true) as select user_id, id, title from public.documents;

alter table public.profiles enable row level security;
alter table public.projects enable row level security;
alter table public.documents enable row level security;

create policy "Profiles are for their user" on public.profiles for select to authenticated
  using ((select auth.uid()) = id);
create policy "Users update their profile" on public.profiles for update to authenticated
  using ((select auth.uid()) = id) with check ((select auth.uid()) = id);
create policy "Users have projects" on public.projects for all to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "Users have documents" on public.documents for all to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);

grant select, update on public.profiles to authenticated;
grant select, insert, update, delete on public.projects, public.documents to authenticated;
grant select on public.titles to authenticated;
