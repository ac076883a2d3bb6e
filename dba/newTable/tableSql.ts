import type { Column } from './columns.ts';
import { searchSql } from './searchSql.ts';

export interface TableOptions {
  /** The table's name in app_public. */
  readonly name: string;
  readonly columns: readonly Column[];
  readonly owner: 'user' | 'organization';
  /** Whether changes become events. */
  readonly live: boolean;
  /** Whether there is a search over its texts. */
  readonly search: boolean;
  /** An expression for the member's role in the organization: `app_public.current_member_role()`. */
  readonly memberRole: string;
}

/** The SQL of a table of tenants, as docs/dba.md shows it. Can run again and again, as `watch` does. */
export function tableSql(options: TableOptions): string {
  const { name, columns, owner, live, search } = options;
  const table = `app_public.${name}`;
  const key = owner === 'user' ? 'user_id' : 'organization_id';
  const references = columns.filter((column) => column.references);
  return [
    ...(search ? [`drop function if exists app_public.search_${name}(text);`] : []),
    `drop table if exists ${table};`,
    '',
    `-- ${key} leads every key and is filled in by its default: no key tells one tenant what another has.`,
    createTable(options, key),
    ...references.map(
      (column) => `create index ${name}_${key}_${column.name}_idx on ${table} (${key}, ${column.name});`,
    ),
    '',
    '-- FORCE: the policies bind the owner as well. The server does not serve a table without both.',
    `alter table ${table} enable row level security, force row level security;`,
    '',
    '-- One policy for each command, to hedgerow_tenant alone. `(select …)` is evaluated once, not for each row.',
    ...policies(table, key, options),
    '',
    `-- Columns by name for insert and update, never ${key}: what is not granted is no input of the API.`,
    grants(table, columns),
    '',
    '-- The sentences that a client gets when a constraint does not hold.',
    ...comments(table, key, options),
    ...(live ? ['', '-- Changes become events of subscriptions.', `select app_private.make_live('${table}');`] : []),
    ...(search ? ['', ...searchSql(name, columns)] : []),
    '',
  ].join('\n');
}

function createTable({ name, columns, owner, search }: TableOptions, key: string): string {
  const home = owner === 'user' ? 'users' : 'organizations';
  const identity = owner === 'user' ? 'current_user_id' : 'current_organization_id';
  const texts = columns.filter(({ isText }) => isText);
  const lines = [
    `${key} uuid not null default app_public.${identity}() references app_public.${home} on delete cascade`,
    'id uuid not null default gen_random_uuid()',
    ...columns.map((column) => `${column.name} ${column.definition}`),
    'created_at timestamptz not null default now()',
    ...(search ? [`search tsvector generated always as (${words(texts)}) stored`] : []),
    `primary key (${key}, id)`,
    ...columns.filter(({ isUnique }) => isUnique).map((column) => `unique (${key}, ${column.name})`),
    ...columns.flatMap((column) => foreignKey(column, key)),
  ];
  return `create table app_public.${name} (\n  ${lines.join(',\n  ')}\n);`;
}

/** A foreign key carries the owner: one on the id alone would accept a row that the tenant cannot see. */
function foreignKey({ name, references, isRequired }: Column, key: string): string[] {
  if (!references) return [];
  const action = references.onDelete ?? (isRequired ? 'cascade' : 'set null');
  const onDelete = action === 'set null' ? `set null (${name})` : action;
  return [`foreign key (${key}, ${name}) references ${references.table} (${key}, id) on delete ${onDelete}`];
}

/** The weighted words of the texts; the first weighs most. */
function words(texts: readonly Column[]): string {
  const value = ({ name, isRequired }: Column) => (isRequired ? name : `coalesce(${name}, '')`);
  if (texts.length === 1) return `app_search.words(${value(texts[0] as Column)})`;
  const weighted = texts.map(
    (text, index) => `setweight(app_search.words(${value(text)}), '${'ABCD'[Math.min(index, 3)]}')`,
  );
  return weighted.join(' || ');
}

function policies(table: string, key: string, { owner, memberRole }: TableOptions): string[] {
  const identity = owner === 'user' ? 'current_user_id' : 'current_organization_id';
  const own = `${key} = (select app_public.${identity}())`;
  // A viewer reads and writes nothing.
  const written = owner === 'user' ? own : `${own} and (select ${memberRole}) in ('owner', 'admin', 'member')`;
  return [
    `create policy select_own on ${table} for select to hedgerow_tenant\n  using (${own});`,
    `create policy insert_own on ${table} for insert to hedgerow_tenant\n  with check (${written});`,
    `create policy update_own on ${table} for update to hedgerow_tenant\n  using (${written})\n  with check (${written});`,
    `create policy delete_own on ${table} for delete to hedgerow_tenant\n  using (${written});`,
  ];
}

function grants(table: string, columns: readonly Column[]): string {
  const written = columns.filter(({ isGenerated }) => !isGenerated).map(({ name }) => name);
  const update = written.length > 0 ? `, update (${written.join(', ')})` : '';
  return `grant select, insert (${['id', ...written].join(', ')})${update}, delete on ${table} to hedgerow_tenant;`;
}

function comments(table: string, key: string, { name, columns, owner }: TableOptions): string[] {
  const one = singular(name).replaceAll('_', ' ');
  const article = /^[aeiou]/.test(one) ? 'an' : 'a';
  const on = (constraint: string, words: string) => `comment on constraint ${constraint} on ${table} is '${words}';`;
  const yours = owner === 'user' ? 'of yours' : 'of this organization';
  return [
    on(`${name}_pkey`, `there is ${article} ${one} with this rowId already`),
    ...columns
      .filter(({ isUnique }) => isUnique)
      .map((column) =>
        on(`${name}_${key}_${column.name}_key`, `there is ${article} ${one} with this ${camel(column.name)} already`),
      ),
    ...columns.flatMap(({ name: column, references }) => {
      if (!references) return [];
      const other = singular(references.table.replace(/^.*\./, '')).replaceAll('_', ' ');
      return on(
        `${name}_${key}_${column}_fkey`,
        `${camel(column)} must name ${/^[aeiou]/.test(other) ? 'an' : 'a'} ${other} ${yours}`,
      );
    }),
  ];
}

function singular(name: string): string {
  if (name.endsWith('ies')) return `${name.slice(0, -3)}y`;
  if (/(ss|x|ch|sh)es$/.test(name)) return name.slice(0, -2);
  return name.endsWith('s') && !name.endsWith('ss') ? name.slice(0, -1) : name;
}

function camel(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
