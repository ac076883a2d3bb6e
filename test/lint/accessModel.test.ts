import { type Comparison, type Declarations, exceptionSql, parseDeclarations } from '../../lint/accessModel.ts';

const parse = (...lines: string[]) => parseDeclarations(lines.map((line) => `@isolation ${line}`).join('\n'));
const member = (...conditions: Comparison[]) => ({ table: ['members'], userColumn: 'user_id', conditions });

describe('a declaration in a comment', () => {
  test.each<[string, Partial<Declarations>]>([
    ['owner: user_id', { owner: { kind: 'user', columns: ['user_id'] } }],
    ['owner: "User Id"', { owner: { kind: 'user', columns: ['User Id'] } }],
    ['owner: parent list_id', { owner: { kind: 'parent', columns: ['list_id'] } }],
    [
      'owner: org through members (org, user_id)',
      { owner: { kind: 'group', column: 'org', groupColumn: 'org', members: member() } },
    ],
    ['read: everyone', { read: [{ kind: 'everyone' }] }],
    ['read: user recipient_id', { read: [{ kind: 'user', column: 'recipient_id' }] }],
    [
      "read: when published and not hidden and state in ('open', 'done') and deleted_at is null and at <= now()",
      {
        read: [
          {
            kind: 'when',
            conditions: [
              { column: 'published', is: 'true' },
              { column: 'hidden', is: 'false' },
              { column: 'state', is: 'one of', values: ['open', 'done'] },
              { column: 'deleted_at', is: 'null' },
              { column: 'at', is: 'past' },
            ],
          },
        ],
      },
    ],
    [
      "write: id through members (list_id, user_id) where role = 'editor'",
      {
        write: [
          {
            kind: 'through',
            column: 'id',
            memberColumn: 'list_id',
            members: member({ column: 'role', is: 'one of', values: ['editor'] }),
          },
        ],
      },
    ],
    [
      'read: by app.profiles (id) where is_support',
      {
        read: [
          {
            kind: 'by',
            users: {
              table: ['app', 'profiles'],
              userColumn: 'id',
              conditions: [{ column: 'is_support', is: 'true' }],
            },
          },
        ],
      },
    ],
    ['shared: all tenants read countries', { shared: 'all tenants read countries' }],
  ])('%s', (line, expected) => {
    expect(parse(line)).toEqual({ read: [], write: [], ...expected });
  });

  test('stands among other lines, and several of one kind add up', () => {
    const comment = 'A post.\n@isolation read: when published\n  @isolation read: by staff (user_id)\n@behavior -*';
    expect(parseDeclarations(comment).read.map(({ kind }) => kind)).toEqual(['when', 'by']);
    expect(parseDeclarations(null)).toEqual({ read: [], write: [] });
  });

  test.each([
    ['', 'expected `owner:`, `read:`, `write:` or `shared:`'],
    ['reed: everyone', 'expected `owner:`'],
    ['owner:', 'expected a column'],
    ['shared:', 'expected a reason'],
    ['read: when', 'expected a column'],
    ['read: when a or b', 'expected the end of the line at or'],
    ["read: when a > 'b'", 'expected the end of the line at >'],
    ['read: members (a, b)', 'expected `through` at ('],
    ['read: id through members (a)', 'expected `,` at )'],
    ["write: when 'x' = a", "expected a column at 'x'"],
    ['read: when a = b', "expected a literal such as 'admin' at b"],
  ])('%j is refused with its place', (line, message) => {
    expect(() => parse(line)).toThrow(message);
  });

  test('a second owner is refused', () => {
    expect(() => parse('owner: a', 'owner: b')).toThrow('expected one owner only');
  });
});

test('the SQL of an exception quotes every name and literal', () => {
  const [read] = parse(`read: "a""b" through "m t" ("g;", u) where role = 'it''s'`).read;
  expect(exceptionSql(read as never, 't', "'me'", (name) => name.join('.'))).toBe(
    `exists (select from m t m where m."u"::text = 'me' and m."g;" = t."a""b" and m."role"::text in ('it''s'))`,
  );
});
