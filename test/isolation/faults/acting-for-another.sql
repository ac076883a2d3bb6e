-- Expected: app_public.act_for(uuid): call with A
-- A function changes the transaction's tenant.

create function app_public.act_for(tenant uuid) returns void language sql volatile
  as $$ select set_config('app.current_user_id', tenant::text, true) $$;
grant execute on function app_public.act_for(uuid) to hedgerow_tenant;
