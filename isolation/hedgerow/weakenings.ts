/** A weaker text of the statements that give a transaction its identity. */
interface Weakening {
  readonly object: string;
  readonly description: string;
  change(text: string): string;
}

export const weakenings: readonly Weakening[] = [
  {
    object: 'the member',
    description: 'The membership of any user counts.',
    change: (text) => text.replace(' and m.user_id = $1', ''),
  },
  {
    object: 'the organization of the membership',
    description: 'The membership in any organization counts.',
    change: (text) => text.replace(/m\.organization_id = (\$\d) and /, '$1::uuid is not null and '),
  },
  {
    object: 'the membership',
    description: 'The statement acts for the organization that the request names, without a membership.',
    change: (text) =>
      text.replace(
        /coalesce\(m\.organization_id.*?refuse_membership\(\)\)(.*m\.organization_id = (\$\d))/s,
        '$2::text$1',
      ),
  },
  {
    object: 'the refusal of a membership',
    description: 'Without a membership, the transaction acts for no organization instead of being refused.',
    change: (text) => text.replace('app_private.refuse_membership()', "''"),
  },
  {
    object: 'the role',
    description: 'Every member has the role of an owner.',
    change: (text) => text.replace('m.role', "'owner'"),
  },
  {
    object: 'the settings of no organization',
    description: 'A personal transaction keeps the organization of an earlier one.',
    change: (text) =>
      text.replace(
        /, set_config\('app\.current_organization_id', '', true\), set_config\('app\.current_member_role', '', true\)/,
        '',
      ),
  },
  {
    object: 'the refusal of a session',
    description: 'The user of the token counts, without a session.',
    change: (text) => text.replace('app_private.refuse_identity()', '$$1::uuid::text'),
  },
  {
    object: 'the user',
    description: 'The session or the external token of any user counts.',
    change: (text) =>
      text
        .replace(/ and [se]\.user_id = \$1/, ' and $$1::uuid is not null')
        .replace(/select [se]\.user_id::text/, 'select $$1::uuid::text'),
  },
  {
    object: 'the active user',
    description: 'A deactivated user may act.',
    change: (text) => text.replace(' and c.is_active', ''),
  },
  {
    object: 'the end of a session',
    description: 'An ended session counts.',
    change: (text) =>
      text
        .replace(' and s.revoked_at is null', '')
        .replace(' and e.not_before < to_timestamp($4)', ' and $$4::float8 is not null'),
  },
];
