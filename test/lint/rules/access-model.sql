-- expect: app_public.notes
-- expect: app_public.posts
create table app_public.notes (user_id uuid, id uuid, published boolean);
comment on table app_public.notes is '@isolation read: when publishd';
create table app_public.posts (user_id uuid, id uuid);
comment on table app_public.posts is '@isolation reed: everyone';
-- fixed:
create table app_public.notes (user_id uuid, id uuid, published boolean);
comment on table app_public.notes is '@isolation read: when published';
create table app_public.posts (user_id uuid, id uuid);
comment on table app_public.posts is '@isolation read: everyone';
