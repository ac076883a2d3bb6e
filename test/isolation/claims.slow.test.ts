import { proveSql } from '../../isolation/proveSql.ts';
import { createSample, samples } from '../support/samples.ts';
import { withCode } from './drafts.ts';

// Under load, these tests take minutes instead of seconds.
const timeout = 300_000;

const settings = "current_setting('request.jwt.claims', true)";
const jwt = `create function auth.jwt() returns jsonb language sql stable
  as $$ select coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(${settings}, ''))::jsonb $$;`;
const extra = (condition: string, more = '') =>
  `${more} create policy extra on public.documents for select to authenticated using (${condition});`;
const fn = (body: string, language = 'sql', name = 'is_open', returns = 'boolean') =>
  `create function public.${name}() returns ${returns} language ${language} stable as $f$ ${body} $f$;`;

async function prove(
  sql: string,
  template: string = samples.supabase.template,
  more: { set?: Record<string, string>; fixed?: readonly string[] } = {},
) {
  const db = await createSample('supabase', sql);
  try {
    const proof = await proveSql({
      adminUrl: db.adminUrl,
      scope: { ...samples.supabase, template, ...more },
      seedData: { seed: 1 },
      only: (name) => /documents/.test(name),
    });
    return withCode(proof);
  } finally {
    await db.drop();
  }
}

test.each([
  ['->>', `(${settings}::jsonb ->> 'is_admin') = 'true'`, '', 'is_admin'],
  ['-> and a cast', `(nullif(${settings}, '')::jsonb -> 'is_admin')::boolean`, '', 'is_admin'],
  ['#>>', `(${settings}::json #>> '{app_metadata,role}') = 'admin'`, '', 'app_metadata\\.role'],
  [
    'jsonb_extract_path_text',
    `jsonb_extract_path_text(${settings}::jsonb, 'app_metadata', 'role') = 'admin'`,
    '',
    'app_metadata\\.role',
  ],
  ['a subscript', `(${settings}::jsonb)['is_admin'] = 'true'::jsonb`, '', 'is_admin'],
  ['?', `${settings}::jsonb ? 'is_admin'`, '', 'is_admin'],
  ['a function that returns the claims', `(select auth.jwt() ->> 'is_admin') = 'true'`, jwt, 'is_admin'],
  ['a sublink around it', `((select auth.jwt()) ->> 'is_admin') = 'true'`, jwt, 'is_admin'],
  [
    'two nested functions',
    'public.is_open()',
    jwt +
      fn(`select auth.jwt() -> 'app_metadata'`, 'sql', 'metadata', 'jsonb') +
      fn(`begin return (public.metadata() ->> 'role') = 'admin'; end`, 'plpgsql'),
    'app_metadata\\.role',
  ],
  [
    'a variable',
    'public.is_open()',
    fn(
      `declare claims jsonb := nullif(${settings}, '')::jsonb; begin return claims ->> 'is_admin' = 'true'; end`,
      'plpgsql',
    ),
    'is_admin',
  ],
  [
    'dynamic SQL of one literal',
    'public.is_open()',
    fn(
      `declare found text; begin execute 'select current_setting(''request.jwt.claims'', true)::jsonb ->> ''is_admin'''
        into found; return found = 'true'; end`,
      'plpgsql',
    ),
    'is_admin',
  ],
  [
    'a parsed body',
    'public.is_open()',
    `create function public.is_open() returns boolean language sql stable
      return (${settings}::jsonb ->> 'is_admin') = 'true';`,
    'is_admin',
  ],
])(
  'a claim that the template lacks is reported: %s',
  async (_, condition, more, claim) => {
    const { code, unproven } = await prove(extra(condition, more));
    expect(unproven).toContainEqual(
      expect.stringMatching(
        `^policy extra on public\\.documents reads the claim ${claim} of request\\.jwt\\.claims, which --setting-template does not give`,
      ),
    );
    expect(code).toBe(2);
  },
  timeout,
);

test.each([
  ['a computed key', `(${settings}::jsonb ->> concat('is_', 'admin')) = 'true'`, ''],
  ['a path expression', `${settings}::jsonb @? '$.is_admin'`, ''],
  ['containment', `auth.jwt() @> '{"is_admin": true}'`, jwt],
  ['the text', `${settings} like '%admin%'`, ''],
  ['a set of its keys', `exists (select from jsonb_each_text(auth.jwt()) e where e.key = 'is_admin')`, jwt],
  [
    'a set of its keys in a function',
    'public.is_open()',
    jwt + fn(`select exists (select from jsonb_each_text(auth.jwt()) e where e.key = 'is_admin')`),
  ],
])(
  'claims by a key that cannot be determined are not proven: %s',
  async (_, condition, more) => {
    const { code, unproven } = await prove(extra(condition, more));
    expect(unproven).toContainEqual(
      expect.stringMatching(
        /^policy extra on public\.documents reads request\.jwt\.claims as a whole or by a computed key/,
      ),
    );
    expect(code).toBe(2);
  },
  timeout,
);

test(
  'a claim that users write themselves is not proven, with or without a value',
  async () => {
    const sql = extra(`(auth.jwt() -> 'user_metadata' ->> 'role') = 'admin'`, jwt);
    const sentence = expect.stringMatching(
      /^policy extra on .* reads the claim user_metadata\.role .* users write user_metadata themselves/,
    );
    expect(await prove(sql)).toMatchObject({ code: 2, unproven: [sentence] });
    const template = '{"sub": ":id", "role": "authenticated", "user_metadata": {"role": "none"}}';
    expect(await prove(sql, template)).toMatchObject({ code: 2, unproven: [sentence] });
    expect(await prove(sql, template, { fixed: ['user_metadata'] })).toMatchObject({ code: 0, unproven: [] });
  },
  timeout,
);

test(
  'a claim in the template is proven for its value, and reported if it is left unset',
  async () => {
    const sql = extra(`(auth.jwt() ->> 'is_admin') = 'true'`, jwt);
    const template = (value: string) => `{"sub": ":id", "role": "authenticated", "is_admin": ${value}}`;
    expect(await prove(sql, template('"true"'))).toMatchObject({ code: 1 });
    expect(await prove(sql, template('"false"'))).toMatchObject({ code: 0, unproven: [] });
    const { code, notJudged } = await prove(sql, template('null'));
    expect(code).toBe(0);
    expect(notJudged).toContainEqual({
      about: 'claim is_admin of request.jwt.claims',
      reason: expect.stringContaining('left unset'),
    });
  },
  timeout,
);

const legacy = (claim: string) => `current_setting('request.jwt.claim.${claim}', true)`;

test.each([
  ['a policy', `${legacy('role')} = 'support'`, '', 'policy extra on public\\.documents'],
  [
    'a function',
    'public.is_open()',
    fn(`select ${legacy('role')} = 'support'`),
    '.*policy extra on public\\.documents',
  ],
  [
    'next to its successor',
    `(${settings}::jsonb ->> 'role') is not null and ${legacy('role')} = 'support'`,
    '',
    'policy extra on public\\.documents',
  ],
  [
    'instead of another claim',
    `coalesce(${legacy('role')}, ${settings}::jsonb ->> 'sub') = 'support'`,
    '',
    'policy extra on public\\.documents',
  ],
])(
  'a setting for a single claim is reported unless it is a fallback for the same claim: %s',
  async (_, condition, more, who) => {
    const sql = extra(condition, more);
    const { code, unproven } = await prove(sql);
    expect(unproven).toContainEqual(
      expect.stringMatching(`^The setting request\\.jwt\\.claim\\.role has no value, and ${who}`),
    );
    expect(code).toBe(2);
    expect(await prove(sql, undefined, { set: { 'request.jwt.claim.role': 'other' } })).toMatchObject({ code: 0 });
  },
  timeout,
);

test(
  'a setting for a single claim is not judged if it is a fallback for the same claim',
  async () => {
    const { code, unproven, notJudged } = await prove(
      extra('public.is_open()', fn(`select coalesce(${legacy('role')}, (${settings}::jsonb ->> 'role')) = 'support'`)),
    );
    expect(unproven).toEqual([]);
    expect(notJudged).toContainEqual({ about: 'settings request.jwt.claim.*', reason: expect.any(String) });
    expect(code).toBe(0);
  },
  timeout,
);
