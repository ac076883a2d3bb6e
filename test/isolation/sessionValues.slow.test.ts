import { drafts, own, prove } from './drafts.ts';

// Under load, these tests take minutes instead of seconds.
const timeout = 300_000;

/** Drafts that their owner can read, and every tenant if `condition` holds. */
const openTo = (condition: string, more = '') =>
  drafts('', more)
    .replace(/create policy.*$/s, '')
    .concat(
      `create policy own on app_public.drafts to hedgerow_tenant using (${own} or ${condition}) with check (${own});`,
    );

const fn = (body: string, language = 'sql', options = '', name = 'is_open') => `
create function app_private.${name}() returns boolean language ${language} stable ${options} as $f$ ${body} $f$;
grant usage on schema app_private to hedgerow_tenant;
grant execute on function app_private.${name}() to hedgerow_tenant;`;

const call = '(select app_private.is_open())';
const plpgsql = (statements: string, declare = '') => fn(`${declare} begin ${statements} end`, 'plpgsql');

test.each([
  ['a setting of Postgres', "current_setting('application_name') = 'support'", '', 'application_name'],
  ['a quoted name', `pg_catalog."current_setting"('app.open', true) = 'on'`, '', 'app.open'],
  ['a composed name', "current_setting('app.' || 'open', true) = 'on'", '', 'app.open'],
  ['capital letters', "current_setting('APP.Open', true) = 'on'", '', 'app.open'],
  ['a function in SQL', call, fn("select current_setting('app.open', true) = 'on'"), 'app.open'],
  [
    'a function with a parsed body',
    call,
    `create function app_private.is_open() returns boolean language sql stable return current_setting('app.open', true) = 'on';
    grant usage on schema app_private to hedgerow_tenant;
    grant execute on function app_private.is_open() to hedgerow_tenant;`,
    'app.open',
  ],
  [
    'three nested functions that call each other',
    call,
    fn('select app_private.second()', 'sql').replace(/^/, 'set local check_function_bodies = off;') +
      fn('begin return app_private.third(); end', 'plpgsql', '', 'second') +
      fn(
        `select pg_catalog . "current_setting" /* a comment */ ( /* 'app.other' */ E'app.open', true) = 'on' or app_private.is_open()`,
        'sql',
        '',
        'third',
      ),
    'app.open',
  ],
  [
    'a composed name in PL/pgSQL',
    call,
    plpgsql("return current_setting('app.'::text || 'open', true) = 'on';"),
    'app.open',
  ],
  [
    'dynamic SQL of one literal',
    call,
    plpgsql(
      "execute 'select current_setting(''app.open'', true)' into found; return found = 'on';",
      'declare found text;',
    ),
    'app.open',
  ],
  [
    'SHOW',
    call,
    plpgsql("execute 'show app.open' into found; return found = 'on';", 'declare found text;'),
    'app.open',
  ],
  [
    'an operator',
    "body operator(app_private.===) 'x'",
    `create function app_private.opens(text, text) returns boolean language sql stable as $$ select current_setting('app.open', true) = $2 $$;
    create operator app_private.=== (leftarg = text, rightarg = text, function = app_private.opens);
    grant usage on schema app_private to hedgerow_tenant;
    grant execute on function app_private.opens(text, text) to hedgerow_tenant;`,
    'app.open',
  ],
  [
    'the default of an argument',
    call,
    `create function app_private.is_open(mode text default current_setting('app.open', true)) returns boolean
      language sql stable as $$ select mode = 'on' $$;
    grant usage on schema app_private to hedgerow_tenant;
    grant execute on function app_private.is_open(text) to hedgerow_tenant;`,
    'app.open',
  ],
  [
    'an aggregate',
    '(select app_private.any_open(n) from generate_series(1, 1) n)',
    `create function app_private.opens(boolean, integer) returns boolean language sql stable
      as $$ select current_setting('app.open', true) = 'on' $$;
    create aggregate app_private.any_open(integer) (sfunc = app_private.opens, stype = boolean);
    grant usage on schema app_private to hedgerow_tenant;
    grant execute on all functions in schema app_private to hedgerow_tenant;`,
    'app.open',
  ],
  [
    'a view',
    '(select is_open from app_private.opening)',
    `create view app_private.opening as select current_setting('app.open', true) = 'on' as is_open;
    grant usage on schema app_private to hedgerow_tenant;
    grant select on app_private.opening to hedgerow_tenant;`,
    'app.open',
  ],
])(
  'a setting that a policy reads is reported: %s',
  async (_what, condition, more, name) => {
    const { code, unproven } = await prove(openTo(condition, more));
    expect(unproven.filter((sentence) => sentence.startsWith('The setting'))).toEqual([
      expect.stringMatching(
        `^The setting ${name.replace('.', '\\.')} has no value, and .*policy own on app_public.drafts`,
      ),
    ]);
    expect(code).toBe(2);
  },
  timeout,
);

test.each([
  [
    'a computed name',
    "current_setting(concat('app', '.open'), true) = 'on'",
    '',
    /reads a setting whose name is computed/,
  ],
  [
    'a variable as the name',
    call,
    plpgsql("return current_setting(name, true) = 'on';", "declare name text := 'app.open';"),
    /name is computed/,
  ],
  [
    'pg_settings',
    "exists (select from pg_settings where name = 'work_mem' and setting = '1')",
    '',
    /pg_show_all_settings/,
  ],
  [
    'pg_settings, qualified',
    "exists (select from pg_catalog.pg_settings where setting = 'x' and name = 'x')",
    '',
    /pg_show_all_settings/,
  ],
  [
    'pg_settings in a function',
    call,
    fn(`select exists (select from pg_catalog."pg_settings" where setting = 'support')`),
    /pg_show_all_settings/,
  ],
  ['other sessions', 'exists (select from pg_stat_activity where query = $$x$$)', '', /pg_stat_get_activity/],
  ['session_user', "session_user = 'support'", '', /reads session_user, .*--fixed session_user /],
  ['current_user', "current_user = 'support'", '', /reads current_user/],
  ['user in a function', call, fn("select user = 'support'"), /reads user,/],
  ['a role by its membership', "pg_has_role('pg_monitor', 'member')", '', /reads pg_has_role\(\)/],
  [
    'the address of the client',
    "inet_client_addr() = '10.1.2.3'",
    '',
    /reads inet_client_addr\(\), .*--fixed inet_client_addr /,
  ],
  ['a random number', 'random() < 1e-9', '', /reads random\(\)/],
  ['the process id', 'pg_backend_pid() = -1', '', /reads pg_backend_pid\(\)/],
  ['the first schema of the search_path', "current_schema = 'support'", '', /reads current_schema/],
  ['a query in a text', "query_to_xml('select 1', true, true, '') is null", '', /reads query_to_xml\(\)/],
  [
    'dynamic SQL',
    call,
    plpgsql(
      "execute concat('select current_', 'setting(''a.b'', true)') into found; return found = 'on';",
      'declare found text;',
    ),
    /function app_private\.is_open, which runs SQL that it composes at run time/,
  ],
  [
    'a temporary table',
    call,
    plpgsql("return exists (select from marks where name = 'support');"),
    /function app_private\.is_open, which selects from marks, which is not a table or view/,
  ],
  ['the time alone, in a function', call, fn("select current_date > '2090-01-01'"), /compares the time with no column/],
  ['the time alone', "now() > '2090-01-01'", '', /compares the time with no column/],
])(
  'a policy that reads the session is not proven: %s',
  async (_what, condition, more, sentence) => {
    const { code, unproven } = await prove(openTo(condition, more));
    expect(unproven).toContainEqual(expect.stringMatching(sentence));
    expect(unproven.find((one) => sentence.test(one))).toMatch(/policy own on app_public\.drafts/);
    expect(code).toBe(2);
  },
  timeout,
);

test(
  'a view and a function that run as their owner are not proven if they read the session, and others are',
  async () => {
    const { unproven } = await prove(
      `${drafts('')}
      create view app_public.open_drafts as select * from app_public.drafts where ${own} or session_user = 'support';
      create view app_public.drafts_now with (security_invoker) as select now() as time, id from app_public.drafts;
      create function app_public.drafts_of_support() returns setof app_public.drafts language sql stable security definer
        set search_path = '' as $$ select * from app_public.drafts where inet_client_addr() is null $$;
      create function app_public.drafts_of_me() returns text language sql stable
        set search_path = '' as $$ select current_user::text $$;
      revoke execute on all functions in schema app_public from public;
      grant select on app_public.open_drafts, app_public.drafts_now to hedgerow_tenant;
      grant execute on all functions in schema app_public to hedgerow_tenant;`,
    );
    expect(unproven.filter((sentence) => sentence.includes('between sessions'))).toEqual([
      expect.stringMatching(/^function app_public\.drafts_of_support\(\) reads inet_client_addr\(\)/),
      expect.stringMatching(/^view app_public\.open_drafts reads session_user/),
    ]);
  },
  timeout,
);

test(
  'a run reports the settings that rules of tables and triggers of views read',
  async () => {
    const { unproven } = await prove(
      `${drafts('')}
      create rule keep as on delete to app_public.drafts where current_setting('app.keep', true) = 'on' do instead nothing;
      create view app_public.my_drafts with (security_invoker) as select * from app_public.drafts;
      grant select, insert on app_public.my_drafts to hedgerow_tenant;
      create function app_private.write_draft() returns trigger language plpgsql set search_path = ''
        as $$ begin if current_setting('app.write', true) = 'on' then return new; end if; return null; end $$;
      create trigger write_draft instead of insert on app_public.my_drafts for each row execute function app_private.write_draft();`,
    );
    const reported = unproven.flatMap(
      (sentence) => /^The setting (\S+) has no value, and (.*) reads it/.exec(sentence)?.slice(1, 3) ?? [],
    );
    expect(reported).toEqual([
      'app.keep',
      'rule keep on app_public.drafts',
      'app.write',
      'trigger write_draft on app_public.my_drafts',
    ]);
  },
  timeout,
);

test(
  'session values that --fixed declares are accepted and listed as not judged',
  async () => {
    const sql = openTo(
      `session_user = 'support' or inet_client_addr() = '10.1.2.3' or ${call}`,
      plpgsql("execute concat('select ', 'false') into found; return found;", 'declare found boolean;'),
    );
    const { code, unproven, notJudged } = await prove(sql, undefined, [
      'session_user',
      'inet_client_addr()',
      'app_private.is_open',
    ]);
    expect(unproven).toEqual([]);
    expect(notJudged).toContainEqual({ about: 'session_user', reason: expect.stringContaining('--fixed') });
    expect(code).toBe(0);
  },
  timeout,
);

test(
  'a policy that reads a setting of Postgres leaks if the setting has the value that opens it',
  async () => {
    const sql = openTo("current_setting('application_name') = 'support'");
    expect(await prove(sql, { application_name: 'support' })).toMatchObject({ code: 1 });
    expect(await prove(sql, { application_name: 'other' })).toMatchObject({ code: 0, unproven: [] });
  },
  timeout,
);

test(
  'the prover reads functions with every other form of FROM',
  async () => {
    const { unproven, code } = await prove(
      drafts(
        call,
        plpgsql(
          `for n in select g from generate_series(1, 2) g loop null; end loop;
          with marks as materialized (select user_id from app_public.lists l join app_public.todos using (user_id))
            select count(*) into n from (marks natural join app_public.users) where extract(epoch from days) > 0
            and trim(both from words) is distinct from words and substring(words from n for 1) is null;
          return true;`,
          "declare n integer; days interval := '1 day'; words text := 'x';",
        ),
      ),
    );
    expect(unproven).toEqual([]);
    expect(code).toBe(0);
  },
  timeout,
);

test(
  'constant settings, times that are compared with columns, and privileges of named roles do not prevent a proof',
  async () => {
    const { unproven, code } = await prove(
      drafts(
        `current_setting('server_version_num')::int > 1 and created_at <= now()
        and has_table_privilege('hedgerow_tenant', 'app_public.drafts', 'select') and ${call}`,
        fn('select not exists (select from app_public.lists where now() is null)'),
      ).replace('body text', 'created_at timestamptz not null default now(), body text'),
    );
    expect(unproven).toEqual([]);
    expect(code).toBe(0);
  },
  timeout,
);
