-- expect: app_public.notes.user_id
-- expect: app_public.pages.author
-- expect: app_public.documents.organization_id
-- expect: app_public.comments.organization_id
create table app_public.notes (user_id uuid, id uuid);
create table app_public.pages (author uuid references app_public.users, id uuid);
create table app_private.receipts (user_id uuid, id uuid);
grant select on app_private.receipts to hedgerow_tenant;
create table app_public.documents (organization_id uuid references app_public.organizations, id uuid);
-- A comment without a task stays.
create table app_public.comments (
  organization_id uuid not null,
  id uuid,
  task_id uuid,
  foreign key (organization_id, task_id) references app_public.tasks on delete cascade
);
-- fixed:
create table app_public.notes (user_id uuid references app_public.users on delete cascade, id uuid);
create table app_public.pages (author uuid references app_public.users on delete cascade, day date)
  partition by range (day);
create table app_public.pages_2026 partition of app_public.pages for values from ('2026-01-01') to ('2027-01-01');
create table app_public.documents (organization_id uuid references app_public.organizations on delete cascade, id uuid);
create table app_public.comments (
  organization_id uuid not null,
  id uuid,
  task_id uuid not null,
  foreign key (organization_id, task_id) references app_public.tasks on delete cascade
);
