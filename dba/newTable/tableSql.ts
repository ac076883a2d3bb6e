import type { Column } from './columns.ts';
import { camel, nameOf, singular } from './names.ts';
import { searchSql } from './searchSql.ts';

export interface TableOptions {
  /** The table's name, without its schema app_public. */
  readonly name: string;
  readonly columns: readonly Column[];
  readonly owner: 'user' | 'organization';
  /** Whether changes become events of subscriptions. */
  readonly live: boolean;
  /** Whether to add a search over the text columns. */
  readonly search: boolean;
}

/**
 * Returns the SQL of a tenants' table, in the form of docs/dba.md, "A new tenants' table". It can run repeatedly, as `watch`
 * does.
 */
export function tableSql(options: TableOptions): string {
  const { name, columns, owner, live, search } = options;
  const table = `app_public.${name}`;
  const key = owner === 'user' ? 'user_id' : 'organization_id';
  // A unique constraint already has an index on the same columns.
  const references = columns.filter(({ reference, unique }) => reference && !unique);
  return [
    ...(search ? [`drop function if exists app_public.search_${name}(text);`] : []),
    `drop table if exists ${table};`,
    '',
    `-- ${key} leads every key and is filled in by its default: no key reveals the values of another tenant.`,
    createTable(options, key),
    ...references.map(
      (column) => `create index ${nameOf([name, key, column.name], 'idx')} on ${table} (${key}, ${column.name});`,
    ),
    '',
    '-- FORCE: the policies bind the owner as well. The server does not serve a table without both.',
    `alter table ${table} enable row level security, force row level security;`,
    '',
    '-- One policy for each command, to hedgerow_tenant alone. `(select …)` is evaluated once, not for each row.',
    ...policies(table, key, options),
    '',
    `-- Columns by name for insert and update, never ${key}: columns without a grant are no input of the API.`,
    grants(table, columns),
    '',
    '-- The error messages that a client gets when a constraint is violated.',
    ...comments(table, key, options),
    ...(live ? ['', '-- Changes become events of subscriptions.', `select app_private.make_live('${table}');`] : []),
    ...(search ? ['', ...searchSql(name, columns)] : []),
    '',
  ].join('\n');
}

function createTable({ name, columns, owner, search }: TableOptions, key: string): string {
  const home = owner === 'user' ? 'users' : 'organizations';
  const identity = owner === 'user' ? 'current_user_id' : 'current_organization_id';
  const texts = columns.filter(({ isSearchable }) => isSearchable);
  const lines = [
    `${key} uuid not null default app_public.${identity}() references app_public.${home} on delete cascade`,
    'id uuid not null default gen_random_uuid()',
    ...columns.map((column) => `${column.name} ${column.text}`),
    'created_at timestamptz not null default now()',
    ...(search ? [`search tsvector generated always as (${words(texts)}) stored`] : []),
    `primary key (${key}, id)`,
    ...columns.flatMap((column) => uniqueKey(name, column, key)),
    ...columns.flatMap((column) => foreignKey(name, column, key)),
  ];
  return `create table app_public.${name} (\n  ${lines.join(',\n  ')}\n);`;
}

/** The key contains the owner column: a key on the column alone would reveal the values of other tenants. */
function uniqueKey(table: string, { name, unique }: Column, key: string): string[] {
  if (!unique) return [];
  const constraint = unique.name ?? nameOf([table, key, name], 'key');
  const nulls = unique.nullsNotDistinct ? ' nulls not distinct' : '';
  return [`${declared(constraint, [table, key, name], 'key')}unique${nulls} (${key}, ${name})${unique.timing}`];
}

/** The foreign key contains the owner column: a key on the id alone would accept a row that the tenant cannot see. */
function foreignKey(table: string, { name, reference, isRequired, isGenerated }: Column, key: string): string[] {
  if (!reference) return [];
  const action = reference.onDelete ?? (isRequired || isGenerated ? 'cascade' : 'set null');
  const onDelete = action.startsWith('set ') ? `${action} (${name})` : action;
  const onUpdate = reference.onUpdate ? ` on update ${reference.onUpdate}` : '';
  const constraint = reference.name ?? nameOf([table, key, name], 'fkey');
  const [schema = '', other = ''] = reference.table.split('.');
  return [
    `${declared(constraint, [table, key, name], 'fkey')}foreign key (${key}, ${name}) references ${quoted(schema)}.${quoted(other)} (${key}, ${quoted(reference.column)}) on delete ${onDelete}${onUpdate}${reference.timing}`,
  ];
}

/** `constraint NAME `; empty if Postgres chooses the same name by itself. */
function declared(constraint: string, parts: readonly string[], ending: string): string {
  return constraint === [...parts, ending].join('_') ? '' : `constraint ${constraint} `;
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** SQL for the search vector. The first column has the greatest weight. */
function words(texts: readonly Column[]): string {
  const value = ({ name, isRequired }: Column) => (isRequired ? name : `coalesce(${name}, '')`);
  if (texts.length === 1) return `app_search.words(${value(texts[0] as Column)})`;
  const weighted = texts.map(
    (text, index) => `setweight(app_search.words(${value(text)}), '${'ABCD'[Math.min(index, 3)]}')`,
  );
  return weighted.join(' || ');
}

function policies(table: string, key: string, { owner }: TableOptions): string[] {
  const identity = owner === 'user' ? 'current_user_id' : 'current_organization_id';
  const own = `${key} = (select app_public.${identity}())`;
  // Viewers may read, but not write.
  const writable =
    owner === 'user' ? own : `${own} and (select app_public.current_member_role()) in ('owner', 'admin', 'member')`;
  return [
    `create policy select_own on ${table} for select to hedgerow_tenant\n  using (${own});`,
    `create policy insert_own on ${table} for insert to hedgerow_tenant\n  with check (${writable});`,
    `create policy update_own on ${table} for update to hedgerow_tenant\n  using (${writable})\n  with check (${writable});`,
    `create policy delete_own on ${table} for delete to hedgerow_tenant\n  using (${writable});`,
  ];
}

function grants(table: string, columns: readonly Column[]): string {
  const written = columns.filter(({ isGenerated }) => !isGenerated).map(({ name }) => name);
  const update = written.length > 0 ? `, update (${written.join(', ')})` : '';
  return `grant select, insert (${['id', ...written].join(', ')})${update}, delete on ${table} to hedgerow_tenant;`;
}

function comments(table: string, key: string, { name, columns, owner }: TableOptions): string[] {
  const on = (constraint: string, text: string) => `comment on constraint ${constraint} on ${table} is '${text}';`;
  const yours = owner === 'user' ? 'of yours' : 'of this organization';
  return [
    on(`${name}_pkey`, `there is ${withArticle(singular(name))} with this rowId already`),
    ...columns.flatMap(({ name: column, unique }) => {
      if (!unique) return [];
      const constraint = unique.name ?? nameOf([name, key, column], 'key');
      return on(constraint, `there is ${withArticle(singular(name))} with this ${camel(column)} already`);
    }),
    ...columns.flatMap(({ name: column, reference }) => {
      if (!reference) return [];
      const other = singular(reference.table.replace(/^.*\./, '')).replaceAll("'", "''");
      const constraint = reference.name ?? nameOf([name, key, column], 'fkey');
      return on(constraint, `${camel(column)} must name ${withArticle(other)} ${yours}`);
    }),
  ];
}

function withArticle(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}
