import { drafts, own, prove } from './drafts.ts';

// Under load, these tests take minutes instead of seconds.
const timeout = 300_000;

const alone = /compares the time with no column/;

/** Drafts that their owner can read, and every tenant if `condition` holds. */
const openTo = (condition: string, more = '') =>
  drafts('', more)
    .replace(/create policy.*$/s, '')
    .replace('body text', "created_at timestamptz not null default now() - interval '1 day', body text")
    .concat(
      `create policy own on app_public.drafts to hedgerow_tenant using (${own} or ${condition}) with check (${own});`,
    );

const fn = (body: string, { args = '', returns = 'boolean', language = 'sql', name = 'is_open' } = {}) => `
create function app_private.${name}(${args}) returns ${returns} language ${language} stable as $f$ ${body} $f$;
grant usage on schema app_private to hedgerow_tenant;
grant execute on function app_private.${name} to hedgerow_tenant;`;

const call = '(select app_private.is_open())';
const plpgsql = (body: string) => fn(body, { language: 'plpgsql' });

test.each([
  ['a sublink', "(select now()) > '2090-01-01'", ''],
  ['a whole sublink', "(select now() > '2090-01-01')", ''],
  ['a column of a subquery', "exists (select from (select now() as t) c where c.t > '2090-01-01')", ''],
  ['a common table expression', "(with c as (select now() as t) select t > '2090-01-01' from c)", ''],
  ['VALUES', "exists (select from (values (now())) c (t) where c.t > '2090-01-01')", ''],
  ['a function in FROM', "exists (select from date_trunc('day', now()) t where t > '2090-01-01')", ''],
  ['ANY', "'2090-01-01' < any (select now())", ''],
  ['rows generated from the time', 'exists (select from generate_series(2090, extract(year from now())::int))', ''],
  ['age() of one argument', "age('2090-01-01'::timestamptz) > interval '0'", ''],
  ['starts_with()', "starts_with(now()::text, '2090')", ''],
  ['now as a text', "('now'::text)::timestamptz > '2090-01-01'", ''],
  ['now as a composed text', "concat('n', 'ow')::timestamptz > '2090-01-01'", ''],
  ['a number as a boolean', '(extract(year from now())::int - 2026)::boolean', ''],
  ['CASE', "case when now() > '2090-01-01' then true else false end", ''],
  ['CASE of the time', 'case extract(year from now()) when 2090 then true else false end', ''],
  ['a subscript', '(array[false, true])[extract(year from now())::int - 2088]', ''],
  [
    'CASE of the time in a function',
    call,
    fn('select case extract(year from now()) when 2090 then true else false end'),
  ],
  ['an assignment by =', call, plpgsql("declare t timestamptz; begin t = now(); return t > '2090-01-01'; end")],
  [
    'rows generated from the time in a function',
    call,
    fn('select exists (select from generate_series(2090, extract(year from now())::int))'),
  ],
  ['timeofday()', "timeofday() like '%2090%'", ''],
  [
    'a function with an argument',
    "app_private.is_open('2090-01-01')",
    fn('select now() > since', { args: 'since timestamptz' }),
  ],
  [
    'a function that compares its argument with nothing',
    'app_private.is_open(id)',
    fn("select now() > '2090-01-01'", { args: 'id uuid' }),
  ],
  [
    'a function that returns the time',
    "(select app_private.today()) > '2090-01-01'",
    fn('begin return now(); end', { returns: 'timestamptz', language: 'plpgsql', name: 'today' }),
  ],
  ['a function with a quoted name', call, fn(`select pg_catalog."now"() > '2090-01-01'`)],
  ['a function with a scalar subquery', call, fn("select (select now()) > '2090-01-01'")],
  [
    'a PL/pgSQL function with IF',
    call,
    plpgsql("begin if now() > '2090-01-01' then return true; end if; return false; end"),
  ],
  ['a variable', call, plpgsql("declare t timestamptz := now(); begin return t > '2090-01-01'; end")],
  ['a constant', call, plpgsql("declare since constant timestamptz := '2090-01-01'; begin return now() > since; end")],
  ['now as a literal in a function', call, fn("select 'now'::timestamptz > '2090-01-01'")],
  ['a column of a query', call, fn("with c as (select now() as t) select c.t > '2090-01-01' from c")],
  [
    'dynamic SQL of one literal',
    call,
    plpgsql("declare found boolean; begin execute 'select now() > ''2090-01-01''' into found; return found; end"),
  ],
  ['BETWEEN', call, fn("select current_date between '2090-01-01' and '2099-01-01'")],
  ['a function that reads rows', call, fn("select exists (select from app_public.drafts where now() > '2090-01-01')")],
  [
    'a parsed body',
    call,
    `create function app_private.is_open() returns boolean language sql stable return now() > '2090-01-01';
    grant usage on schema app_private to hedgerow_tenant;
    grant execute on function app_private.is_open to hedgerow_tenant;`,
  ],
])(
  'a policy that decides by the time alone is not proven: %s',
  async (_, condition, more) => {
    const { code, unproven } = await prove(openTo(condition, more));
    expect(unproven).toContainEqual(expect.stringMatching(alone));
    expect(unproven.find((one) => alone.test(one))).toMatch(/policy own on app_public\.drafts/);
    expect(code).toBe(2);
  },
  timeout,
);

test(
  'views and functions that run as their owner are not proven if they decide by the time alone',
  async () => {
    const { unproven, code } = await prove(
      `${drafts('')}
      create view app_public.open_drafts as select * from app_public.drafts where ${own} or now() > '2090-01-01';
      create function app_public.drafts_of_later() returns setof app_public.drafts language sql stable security definer
        set search_path = '' as $$ select * from app_public.drafts
          where user_id = app_public.current_user_id() or now() > '2090-01-01' $$;
      create function app_public.drafts_of_now() returns setof app_public.drafts language plpgsql stable security definer
        set search_path = '' as $$ begin return query select * from app_public.drafts d
          where d.user_id = app_public.current_user_id() and d.id::text <> (now() - interval '1 day')::text; end $$;
      revoke execute on all functions in schema app_public from public;
      grant select on app_public.open_drafts to hedgerow_tenant;
      grant execute on all functions in schema app_public to hedgerow_tenant;`,
    );
    expect(unproven.filter((one) => alone.test(one))).toEqual([
      expect.stringMatching(
        /^function app_public\.drafts_of_later\(\), view app_public\.open_drafts compares the time/,
      ),
    ]);
    expect(code).toBe(2);
  },
  timeout,
);

test.each([
  ['a column', 'created_at <= now()', ''],
  ['a column and a sublink', "created_at <= (select now() + interval '1 day')", ''],
  ['BETWEEN', "created_at between now() - interval '10 days' and now()", ''],
  ['IN', "date_part('year', created_at) in (date_part('year', now()), date_part('year', now()) - 1)", ''],
  ['the age of a column', "age(created_at) < interval '10 years'", ''],
  [
    'a function of a column',
    'app_private.is_open(created_at)',
    fn('begin return since between current_date - 10 and now(); end', {
      args: 'since timestamptz',
      language: 'plpgsql',
    }),
  ],
  [
    'a function of a column by its number',
    'app_private.is_open(created_at)',
    fn('select $1 < now() and age($1) is not null', { args: 'since timestamptz' }),
  ],
  [
    'a variable of a column',
    'app_private.is_open(created_at)',
    fn(
      'declare t timestamptz = now(); u timestamptz; begin u := since; if u > t then return false; end if; return u < t; end',
      {
        args: 'since timestamptz',
        language: 'plpgsql',
      },
    ),
  ],
  [
    'a function that reads rows',
    call,
    fn(`select not exists (select from app_public.lists l
      where l.created_at is distinct from l.created_at and extract(epoch from now() - l.created_at) > 0)`),
  ],
])(
  'a policy that compares the tenant and a time with the row is proven: %s',
  async (_, condition, more) => {
    const sql = drafts(condition, more).replace(
      'body text',
      "created_at timestamptz not null default now() - interval '1 day', body text",
    );
    const { code, unproven } = await prove(sql);
    expect(unproven).toEqual([]);
    expect(code).toBe(0);
  },
  timeout,
);

test.each([
  ['a time as a text', "'2026-01-01 00:00+00'::timestamptz::text like '%+02'", 'timezone'],
  ['a part of a time', "extract(hour from '2026-01-01 00:00+00'::timestamptz) = 2", 'timezone'],
  ['a date as a text', "'2026-01-02'::date::text = '02.01.2026'", 'datestyle'],
  ['money as a text', "'1'::money::text like '%€%'", 'lc_monetary'],
])(
  'a policy with a constant that depends on session settings is not proven: %s',
  async (_, condition, name) => {
    const sql = openTo(condition);
    const { code, unproven } = await prove(sql);
    expect(unproven).toEqual([
      expect.stringMatching(`^policy own on app_public\\.drafts reads ${name}, .*--fixed ${name} `),
    ]);
    expect(code).toBe(2);
    expect(await prove(sql, undefined, [name])).toMatchObject({ code: 0 });
  },
  timeout,
);
