-- expect: index app_public.notes_title_idx
-- expect: index app_public.notes_user_id_position_idx
create table app_public.notes (user_id uuid not null, position int not null, title text) partition by list (position);
create table app_public.notes_first partition of app_public.notes for values in (1);
create index notes_title_idx on only app_public.notes (title);
create unique index notes_user_id_position_idx on only app_public.notes (user_id, position);
-- fixed:
create table app_public.notes (user_id uuid not null, position int not null, title text) partition by list (position);
create table app_public.notes_first partition of app_public.notes for values in (1);
create index notes_title_idx on only app_public.notes (title);
create index notes_first_title_idx on app_public.notes_first (title);
alter index app_public.notes_title_idx attach partition app_public.notes_first_title_idx;
create unique index notes_user_id_position_idx on app_public.notes (user_id, position);
