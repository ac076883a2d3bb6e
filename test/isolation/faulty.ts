/** Faults to apply after the migrations, as hedgerow_owner. Some set `role postgres` for a superuser's function. */
export const faulty = `
create table app_public.notes (
  user_id uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  id uuid not null default gen_random_uuid(),
  list_id uuid,
  body text not null check (char_length(body) between 1 and 200),
  primary key (user_id, id)
);
-- A plain foreign key, and a unique constraint across tenants.
alter table app_public.lists add constraint lists_id_key unique (id);
alter table app_public.notes
  add constraint notes_list_id_fkey foreign key (list_id) references app_public.lists (id),
  add constraint notes_body_key unique (body);
alter table app_public.notes enable row level security, force row level security;
create policy select_own on app_public.notes for select to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy insert_own on app_public.notes for insert to hedgerow_tenant with check (user_id = (select app_public.current_user_id()));
create policy update_own on app_public.notes for update to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
create policy delete_own on app_public.notes for delete to hedgerow_tenant using (user_id = (select app_public.current_user_id()));
grant select, insert (id, list_id, body), update (list_id, body), delete on app_public.notes to hedgerow_tenant;
select app_private.make_live('app_public.notes');

create view app_public.all_notes as select id, body from app_public.notes;
grant select on app_public.all_notes to hedgerow_tenant;

create function app_public.how_many_notes() returns bigint language sql stable security definer set search_path = ''
  as $$ select count(*) from app_public.notes $$;
create function app_public.bodies(beginning text) returns setof text language sql stable security definer set search_path = ''
  as $$ select body from app_public.notes where starts_with(body, beginning) $$;
create function app_public.empty_note(row_id uuid) returns int language sql volatile security definer set search_path = ''
  as $$ update app_public.notes set body = body || '!' where id = row_id; select 1 $$;
create function app_public.notes_alike(note app_public.notes) returns bigint language sql stable security definer set search_path = ''
  as $$ select count(*) from app_public.notes $$;
grant execute on function app_public.how_many_notes, app_public.bodies, app_public.empty_note, app_public.notes_alike to hedgerow_tenant;
reset role;
alter view app_public.all_notes owner to postgres;
alter function app_public.how_many_notes owner to postgres;
alter function app_public.bodies owner to postgres;
alter function app_public.empty_note owner to postgres;
alter function app_public.notes_alike owner to postgres;
`;
