-- expect: app_public.invoices
-- expect: app_public.archive_2020
create foreign data wrapper elsewhere;
create server billing foreign data wrapper elsewhere;
create foreign table app_public.invoices (user_id uuid, amount numeric) server billing;
create table app_public.archive (user_id uuid, year int) partition by list (year);
create foreign table app_public.archive_2020 partition of app_public.archive for values in (2020) server billing;
-- fixed:
create foreign data wrapper elsewhere;
create server billing foreign data wrapper elsewhere;
create foreign table app_private.invoices (user_id uuid, amount numeric) server billing;
create table app_public.invoices (user_id uuid, amount numeric);
