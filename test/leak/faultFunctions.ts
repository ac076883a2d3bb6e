import type { TestDatabase } from '../support/database.ts';

// `trouble` fails, sleeps or returns a long text, depending on `kind`; a result starts with the current user's name.
// `make_trouble` first writes a row, which must not exist if the call fails. `slowly` and `at_length` make an event
// slow or large, so that a subscriber can disconnect in the middle of it.
const functions = `
  create function app_public.trouble(kind text) returns text language plpgsql stable set search_path = '' as $$
  declare
    me text := (select username from app_public.users where id = app_public.current_user_id());
  begin
    if kind ~ '^[0-9A-Z]{5}$' then raise exception 'trouble' using errcode = kind; end if;
    if kind = 'division' then perform 1 / (length(kind) - 8); end if;
    if kind = 'utf8' then perform convert_from(decode(repeat('ff', length(kind)), 'hex'), 'UTF8'); end if;
    if kind = 'large' then return repeat(me || ' ', 400000); end if;
    if kind like 'sleep %' then perform pg_sleep(substr(kind, 7)::float8); end if;
    return me;
  end $$;

  create function app_public.make_trouble(kind text, row_id uuid, title text) returns text
  language plpgsql volatile set search_path = '' as $$
  begin
    insert into app_public.todos (id, title) values (row_id, title);
    return app_public.trouble(kind);
  end $$;

  create function app_public.touch_both(first_id uuid, second_id uuid) returns int
  language plpgsql volatile set search_path = '' as $$
  begin
    update app_public.todos set completed = not completed where id = first_id;
    update app_public.todos set completed = not completed where id = second_id;
    return 2;
  end $$;

  create function app_public.todos_inverse(todo app_public.todos) returns int language sql stable set search_path = ''
    as 'select 1 / (todo.priority - todo.priority)';
  comment on function app_public.todos_inverse is '@behavior +filter +filterBy';

  create function app_public.todos_slowly(todo app_public.todos) returns text language plpgsql stable
  set search_path = '' as $$
  begin
    perform pg_sleep(0.03);
    return todo.title;
  end $$;

  create function app_public.todos_at_length(todo app_public.todos) returns text language sql stable
  set search_path = '' as 'select repeat(todo.title, 5000)';

  grant execute on function app_public.trouble, app_public.make_trouble, app_public.touch_both,
    app_public.todos_inverse, app_public.todos_slowly, app_public.todos_at_length to hedgerow_tenant;`;

/** Adds functions that fail on demand to the API of `db`. */
export async function addFaultFunctions(db: TestDatabase): Promise<void> {
  await db.asAdmin(`begin; set local role hedgerow_owner; ${functions} commit`);
}

/** The server's request deadline, in seconds. All limits below are shorter. */
export const requestTimeout = 1;

/** Shortens the timeouts of the database. Open connections keep their old ones. */
export async function shortenLimits(db: TestDatabase): Promise<void> {
  const limits = {
    statement_timeout: '600ms',
    lock_timeout: '250ms',
    deadlock_timeout: '100ms',
    idle_in_transaction_session_timeout: '5s',
  };
  const [{ name } = { name: '' }] = await db.asAdmin<{ name: string }>('select current_database() as name');
  for (const [limit, value] of Object.entries(limits)) {
    await db.asAdmin(`alter role hedgerow_authenticator in database ${name} set ${limit} = '${value}'`);
  }
}
