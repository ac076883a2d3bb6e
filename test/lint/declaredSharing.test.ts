import { lintDatabase } from '../../lint/lintDatabase.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createSample } from '../support/samples.ts';

const me = '(select auth.uid())';

/** A table of posts, each with an owner. `declared` is its comment; `using` is the policy of the command. */
interface Case {
  readonly declared: string;
  readonly command?: 'select' | 'update' | 'all';
  readonly using: string;
  readonly accepted: boolean;
}

const published = '@isolation read: when published';

const cases: readonly Case[] = [
  { declared: '', using: `owner_id = ${me} or published`, accepted: false },
  { declared: published, using: `owner_id = ${me} or published`, accepted: true },
  { declared: published, using: 'published', accepted: true },
  { declared: published, using: `owner_id = ${me} or (published and not hidden)`, accepted: true },
  { declared: published, using: `owner_id = ${me} or published is true`, accepted: true },
  { declared: published, using: `owner_id = ${me} or not published`, accepted: false },
  { declared: published, using: `owner_id = ${me} or published or hidden`, accepted: false },
  { declared: published, using: `owner_id = ${me} or published is not false`, accepted: false },
  { declared: published, using: 'true', accepted: false },
  // Reading that is declared never excuses writing.
  { declared: published, command: 'update', using: `owner_id = ${me} or published`, accepted: false },
  { declared: published, command: 'all', using: `owner_id = ${me} or published`, accepted: false },
  {
    declared: '@isolation write: when published',
    command: 'update',
    using: `owner_id = ${me} or published`,
    accepted: true,
  },
  {
    declared: '@isolation read: when published and not hidden',
    using: `owner_id = ${me} or (published and not hidden)`,
    accepted: true,
  },
  {
    declared: '@isolation read: when published and not hidden',
    using: `owner_id = ${me} or published`,
    accepted: false,
  },
  {
    declared: `${published}\n@isolation read: when pinned`,
    using: `owner_id = ${me} or published or pinned`,
    accepted: true,
  },
  { declared: "@isolation read: when state = 'open'", using: `owner_id = ${me} or state = 'open'`, accepted: true },
  { declared: "@isolation read: when state = 'open'", using: `owner_id = ${me} or state = 'draft'`, accepted: false },
  { declared: "@isolation read: when state = 'open'", using: `owner_id = ${me} or state <> 'open'`, accepted: false },
  {
    declared: "@isolation read: when state in ('open', 'done')",
    using: `owner_id = ${me} or state in ('done', 'open')`,
    accepted: true,
  },
  {
    declared: "@isolation read: when state = 'open'",
    using: `owner_id = ${me} or state in ('open', 'draft')`,
    accepted: false,
  },
  { declared: "@isolation read: when stage = 'live'", using: `owner_id = ${me} or stage = 'live'`, accepted: true },
  { declared: "@isolation read: when stage = 'live'", using: `owner_id = ${me} or stage = 'draft'`, accepted: false },
  { declared: '@isolation read: when level = 3', using: `owner_id = ${me} or level = 3`, accepted: true },
  { declared: '@isolation read: when level = 3', using: `owner_id = ${me} or level = 4`, accepted: false },
  {
    declared: '@isolation read: when deleted_at is null',
    using: `owner_id = ${me} or deleted_at is null`,
    accepted: true,
  },
  {
    declared: '@isolation read: when deleted_at is not null',
    using: `owner_id = ${me} or deleted_at is null`,
    accepted: false,
  },
  {
    declared: '@isolation read: when deleted_at <= now()',
    using: `owner_id = ${me} or deleted_at <= now()`,
    accepted: true,
  },
  {
    declared: '@isolation read: when deleted_at <= now()',
    using: `owner_id = ${me} or deleted_at > now()`,
    accepted: false,
  },
  { declared: '@isolation read: everyone', using: 'true', accepted: true },
  { declared: '@isolation read: everyone', command: 'all', using: 'true', accepted: false },
  { declared: '@isolation read: user reader_id', using: `owner_id = ${me} or reader_id = ${me}`, accepted: true },
  {
    declared: '@isolation read: user reader_id',
    command: 'update',
    using: `owner_id = ${me} or reader_id = ${me}`,
    accepted: false,
  },
];

const about = new Map<number, string[]>();

beforeAll(async () => {
  const sql = cases.map(({ declared, command = 'select', using }, index) => {
    const table = `shared.posts_${index}`;
    return `create table ${table} (
        owner_id uuid not null default auth.uid() references auth.users on delete cascade,
        id uuid primary key default gen_random_uuid(),
        reader_id uuid references auth.users,
        published boolean not null default false, hidden boolean not null default false, pinned boolean not null default false,
        state text not null default 'draft', stage shared.stage not null default 'draft', level int, deleted_at timestamptz
      );
      create index on ${table} (owner_id);
      comment on table ${table} is '${declared.replaceAll("'", "''")}';
      alter table ${table} enable row level security;
      create policy insert_own on ${table} for insert to authenticated with check (owner_id = ${me});
      create policy tested on ${table} for ${command} to authenticated using (${using})
        ${command === 'select' ? '' : `with check (owner_id = ${me})`};
      grant select, insert (state), update (state), delete on ${table} to authenticated;`;
  });
  const db = await createSample(
    'supabase',
    `create schema shared; grant usage on schema shared to authenticated;
     create type shared.stage as enum ('draft', 'live'); ${sql.join('\n')}`,
  );
  try {
    const { findings } = await withClient(db.adminUrl, (client) =>
      lintDatabase(client, { schemas: ['shared'], roles: ['authenticated'] }),
    );
    for (const [index] of cases.entries()) {
      const own = findings.filter(({ object }) => object === `policy tested on shared.posts_${index}`);
      about.set(
        index,
        own.map(({ rule }) => rule),
      );
    }
  } finally {
    await db.drop();
  }
}, 120_000);

const rules = ['policy-without-tenant', 'policy-always-true', 'policy-by-another-column'];

test.each(cases.map((one, index) => ({ command: 'select', ...one, index })))(
  '$command using ($using) under "$declared": accepted $accepted',
  ({ accepted, index }) => {
    expect(about.get(index)?.some((rule) => rules.includes(rule))).toBe(!accepted);
  },
);
