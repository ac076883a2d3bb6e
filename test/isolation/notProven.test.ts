import { attack } from '../../dba/attack.ts';
import { proveApi } from '../../isolation/api/proveApi.ts';
import { hedgerowScope } from '../../isolation/hedgerow/scope.ts';
import { drafts, own, prove, withSchema } from './drafts.ts';

// Under load, these tests take minutes instead of seconds.
const timeout = 300_000;

const raising = (body: string) => `
create function app_private.raising() returns boolean language plpgsql stable set search_path = '' as $$ begin ${body} end $$;
grant usage on schema app_private to hedgerow_tenant;
grant execute on function app_private.raising() to hedgerow_tenant;`;

/** A small stack limit. With the default of 2 MB, endless recursion would take 0.1 s per attempt. */
const shallow = `reset role;
do $$ begin execute pg_catalog.format('alter database %I set max_stack_depth = %L', pg_catalog.current_database(), '300kB'); end $$;
set local role hedgerow_owner;`;

const call = '(select app_private.raising())';

test.each([
  ['22012', "(select 1 / pg_catalog.length('') > 0)", ''],
  ['42704', "pg_catalog.current_setting('app.absent') = body", ''],
  ['42P17', 'exists (select from app_public.drafts d where d.body is not null)', ''],
  ['54001', call, shallow + raising('return app_private.raising();')],
  ['54001', 'app_private.raising()', shallow + raising('return exists (select from app_public.drafts);')],
  ['42883', call, raising('return pg_catalog.no_such_function();')],
  ['42P01', call, raising('return exists (select from app_private.no_such_table);')],
  ['2F005', call, raising('null;')],
  ['P0001', call, raising("raise exception 'nobody may';")],
  ['23505', call, raising("raise exception 'as if a key were in the way' using errcode = '23505';")],
  ['XX000', call, raising("raise exception 'internal' using errcode = 'XX000';")],
])(
  'a policy that raises %s for every tenant is not proven: %s',
  async (code, condition, more) => {
    const { unproven, attempts, code: exit } = await prove(drafts(condition, more));
    expect(attempts.filter(({ outcome }) => outcome === 'leaked')).toEqual([]);
    expect(exit).toBe(2);
    const sentences = unproven.filter((sentence) => sentence.includes('A cannot do it'));
    expect(sentences).toContainEqual(
      expect.stringMatching(new RegExp(`^select on app_public.drafts .*\\(error ${code}: `)),
    );
    // Each reason is reported once.
    expect(new Set(unproven).size).toBe(unproven.length);
  },
  timeout,
);

test(
  'a write policy that raises an error is not proven, and the read policy stays proven',
  async () => {
    const { unproven, code } = await prove(
      drafts('', raising("raise exception 'nobody writes';")).replace(
        'to hedgerow_tenant using (',
        `for select to hedgerow_tenant using (`,
      ) +
        `create policy write_own on app_public.drafts for insert to hedgerow_tenant with check (${own} and ${call});
      create policy change_own on app_public.drafts for update to hedgerow_tenant using (${own}) with check (${call});
      create policy drop_own on app_public.drafts for delete to hedgerow_tenant using (${own});`,
    );
    expect(code).toBe(2);
    expect(unproven).toEqual([
      expect.stringMatching(/^insert on app_public\.drafts .*error P0001: nobody writes.*\. Fix the policy/),
      expect.stringMatching(/^update of body on app_public\.drafts .*error P0001: nobody writes/),
    ]);
  },
  timeout,
);

test(
  'a row that a constraint or an AFTER trigger refuses has passed the policies',
  async () => {
    const refuse = (when: string, event: string) => `
    create function app_private.refuse_${when}() returns trigger language plpgsql set search_path = ''
      as $$ begin raise exception 'the drafts are closed'; end $$;
    create trigger refuse_${when} ${when} ${event} on app_public.drafts for each row execute function app_private.refuse_${when}();`;
    const closed = `${drafts('')} ${refuse('before', 'update')} ${refuse('after', 'delete')}
    create unique index drafts_one on app_public.drafts ((true));`;
    // The unique index allows one row in total, so B has no row and A cannot insert another.
    const proof = await prove(closed.replace(/create unique index.*$/s, ''));
    expect(
      proof.controls
        .filter(({ table }) => table === 'app_public.drafts')
        .map(({ operation, works }) => [operation, works]),
    ).toEqual([
      ['select', true],
      ['insert', true],
      ['update', true],
      ['delete', true],
    ]);
  },
  timeout,
);

test(
  'a broken policy is found even if a BEFORE trigger refuses everything',
  async () => {
    const { unproven } = await prove(
      `${drafts('', raising('return 1 / pg_catalog.length(pg_catalog.current_setting($n$app.current_user_id$n$)) < -1;')).replace('to hedgerow_tenant using (', 'for select to hedgerow_tenant using (')}
    create policy write_own on app_public.drafts for insert to hedgerow_tenant with check (${call});
    create policy change_own on app_public.drafts for update to hedgerow_tenant using (${own});
    create policy drop_own on app_public.drafts for delete to hedgerow_tenant using (${own});
    create function app_private.refuse() returns trigger language plpgsql set search_path = ''
      as $$ begin if current_user = 'hedgerow_tenant' then raise exception 'closed'; end if; return new; end $$;
    create trigger refuse before insert on app_public.drafts for each row execute function app_private.refuse();`,
    );
    expect(unproven).toContainEqual(expect.stringMatching(/^insert on app_public\.drafts is granted/));
  },
  timeout,
);

test(
  'a setting that policies read is reported, and the table is proven once it has a value',
  async () => {
    const sql = drafts("pg_catalog.current_setting('app.locale') = 'de'");
    const without = await prove(sql);
    expect(without.code).toBe(2);
    expect(without.unproven[0]).toBe(
      'The setting app.locale has no value, and policy own on app_public.drafts reads it. Give it with --set app.locale=value; ":id" in the value is the tenant\'s id, an empty value leaves it unset.',
    );
    expect(await prove(sql, { 'app.locale': 'de' })).toMatchObject({ code: 0, unproven: [] });
    // With another value, the policy locks everyone out.
    expect(await prove(sql, { 'app.locale': 'en' })).toMatchObject({ code: 2 });
  },
  timeout,
);

test(
  'settings that functions, defaults, triggers and views read are reported',
  async () => {
    const { unproven } = await prove(
      `${drafts(
        'app_private.is_open(id)',
        `
      create function app_private.is_open(uuid) returns boolean language sql stable set search_path = ''
        as $$ select pg_catalog.current_setting('app.open', true) is distinct from 'no' $$;
      grant usage on schema app_private to hedgerow_tenant;
      grant execute on function app_private.is_open(uuid) to hedgerow_tenant;`,
      )}
    alter table app_public.drafts add column source text default current_setting('app.source', true);
    create function app_private.note() returns trigger language plpgsql set search_path = ''
      as $$ begin perform pg_catalog.current_setting('app.note', true); return new; end $$;
    create trigger note before insert on app_public.drafts for each row execute function app_private.note();
    create view app_public.drafts_here with (security_invoker = true) as
      select id from app_public.drafts where current_setting('app.here', true) is null;
    grant select on app_public.drafts_here to hedgerow_tenant;`,
    );
    const reported = unproven.flatMap((sentence) => /^The setting (\S+) has no value/.exec(sentence)?.[1] ?? []);
    expect(reported.sort()).toEqual(['app.here', 'app.note', 'app.open', 'app.source']);
  },
  timeout,
);

test(
  'a run without a working control proves nothing, even without leaks',
  async () => {
    const { code, unproven } = await prove(drafts('').replace(/create policy.*$/s, ''));
    expect(code).toBe(2);
    expect(unproven).toEqual([expect.stringContaining('No control works')]);
  },
  timeout,
);

test(
  'the API of a table with grants and no policy is attacked, and the missing policy is reported',
  async () => {
    const proof = await withSchema(drafts('').replace(/create policy.*$/s, ''), ({ serverUrl, adminUrl }) =>
      proveApi({
        scope: hedgerowScope,
        seed: 7,
        poolSizes: [1],
        operations: 0,
        only: (name) => name === 'app_public.drafts',
        progress: () => {},
        serverUrl,
        adminUrl,
      }),
    );
    expect(proof.attempts.length).toBeGreaterThan(100);
    expect(proof.attempts.filter(({ outcome }) => outcome === 'leaked')).toEqual([]);
    expect(proof.controls.map(({ reason }) => reason)).toContain(
      'there is a grant and no policy for select, so no one can',
    );
    expect(proof.controls.filter(({ works }) => works)).toEqual([]);
  },
  timeout,
);

test(
  'the API of a table whose policy raises an error is not proven, and the error is not attributed to a constraint',
  async () => {
    const { attempts, controls, unproven } = await withSchema(
      drafts("(select 1 / pg_catalog.length('') > 0)"),
      ({ serverUrl, adminUrl }) =>
        proveApi({
          scope: hedgerowScope,
          seed: 7,
          poolSizes: [1],
          operations: 0,
          only: (name) => name === 'app_public.drafts',
          progress: () => {},
          serverUrl,
          adminUrl,
        }),
    );
    expect(attempts.filter(({ outcome }) => outcome === 'leaked')).toEqual([]);
    expect(controls.filter(({ reason }) => reason?.startsWith('a constraint'))).toEqual([]);
    for (const field of ['query drafts', 'mutation createDraft', 'mutation updateDraft', 'mutation deleteDraft'])
      expect(unproven).toContainEqual(expect.stringMatching(new RegExp(`^${field}: `)));
  },
  timeout,
);

test(
  'rehearsals and backup checks report a policy that locks everyone out',
  async () => {
    const findings = await withSchema(drafts("(select 1 / pg_catalog.length('') > 0)"), async (db) => {
      const [row] = await db.asAdmin<{ name: string }>('select quote_ident(current_database()) as name');
      await db.asAdmin(`comment on database ${row?.name} is 'hedgerow scratch'`);
      return attack({ adminUrl: db.adminUrl });
    });
    expect(findings).toContainEqual(
      expect.objectContaining({
        level: 'error',
        detail: expect.stringMatching(/^select on app_public\.drafts is granted.*22012/),
      }),
    );
  },
  timeout,
);
