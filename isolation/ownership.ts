import { UsageError } from '../common/usageError.ts';
import { type Comparison, sharedReason } from '../lint/accessModel.ts';
import type { Catalog, Column, Relation } from './catalog.ts';
import { declarationsOf, declaredTable, declaredUsers } from './declarations.ts';
import { tenantSettings } from './identity.ts';
import { callPattern, escapeRegExp } from './text.ts';
import { findTriggerInserts } from './triggerInserts.ts';

/** How to determine the owner of a table's rows, and the evidence for it. */
export interface Ownership {
  /**
   * - own: a column holds the owner.
   * - parent: the row that a foreign key references has the owner.
   * - shared: all tenants share the rows, because a comment declares it, or because tenants can only read the table and
   *   no column refers to one.
   * - unknown: the catalog does not show the owner.
   */
  readonly kind: 'own' | 'parent' | 'shared' | 'unknown';
  readonly column?: Column;
  /** SQL for the owner of the row `alias`, as text; null if the row has no owner. */
  sql(alias: string): string;
  /** The column and the evidence for it, for display. */
  readonly why: string;
}

const usual = ['user_id', 'owner_id', 'tenant_id', 'account_id', 'organization_id', 'organisation_id', 'org_id'];
const likely = [...usual, 'owner', 'tenant', 'customer_id', 'company_id', 'created_by', 'author_id', 'profile_id'];

const byName = 'its name';

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;

/**
 * Determines the owner of each table's rows. Evidence adds to a column's score, and the column with the highest score
 * wins. No single piece of evidence is decisive, because a policy or a default may be the very fault to be found.
 */
export function findOwners(catalog: Catalog): ReadonlyMap<number, Ownership> {
  const owners = new Map<number, Ownership>();
  const declared = declarationsOf(catalog);
  for (const table of catalog.tables) {
    const reason = sharedReason(table.comment);
    if (reason !== undefined) owners.set(table.oid, shared(`its comment declares it shared: ${reason}`));
  }
  for (const [table, { column, why }] of declaredColumns(catalog)) owners.set(table.oid, own(column, why));
  const signs = new Map(catalog.tables.map((table) => [table, readSigns(catalog, table)]));
  // Keys of the tables whose rows are the tenants. Owner columns reference them, or policies compare them.
  const identities = new Set<string>();
  for (const [table, column] of declaredUsers(catalog))
    for (const { columns, references, referenced } of table.foreignKeys)
      if (columns.length === 1 && columns[0] === column) identities.add(`${references} ${referenced[0]}`);
  for (const [table, found] of signs) {
    for (const [column, { score }] of found) {
      const known = owners.get(table.oid)?.column?.name;
      if (score < 4 || (known !== undefined && known !== column)) continue;
      if (isKey(table, column)) identities.add(`${table.oid} ${column}`);
      for (const { columns, references, referenced } of table.foreignKeys) {
        if (columns.length === 1 && columns[0] === column) identities.add(`${references} ${referenced[0]}`);
      }
    }
  }
  for (const [table, found] of signs) {
    for (const { columns, references, referenced } of table.foreignKeys) {
      columns.forEach((column, index) => {
        if (identities.has(`${references} ${referenced[index]}`)) {
          add(found, column, 3, `refers to ${catalog.relations.get(references)?.name}`);
        }
      });
    }
    for (const column of table.columns) {
      if (identities.has(`${table.oid} ${column.name}`)) add(found, column.name, 4, 'is the key of the tenants');
    }
  }
  for (const { by, trigger, table, copies } of findTriggerInserts(catalog)) {
    for (const [column, from] of copies) {
      const target = signs.get(by);
      if (target && (signs.get(table)?.get(column)?.score ?? 0) >= 3)
        add(target, from, 4, `trigger ${trigger} copies it to ${table.name}.${column}`);
    }
  }
  for (const [table, found] of signs) {
    // If the tenants' table is known, a name alone does not make a reference to another table the owner.
    for (const { columns, references, referenced } of table.foreignKeys) {
      const [column = ''] = columns;
      const isOther = identities.size > 0 && columns.length === 1 && !identities.has(`${references} ${referenced[0]}`);
      if (isOther && found.get(column)?.why.join() === byName) found.delete(column);
    }
    if (owners.has(table.oid)) continue;
    if (declaredParents(catalog, table)) continue;
    const own = best(table, found);
    if (own) owners.set(table.oid, own);
  }
  for (const { table, key, members, groupColumn, from } of groupsOf(catalog))
    for (const [one, name] of [[table, key] as const, [members, groupColumn] as const]) {
      const column = one?.columns.find((column) => column.name === name);
      if (one && column && !owners.has(one.oid))
        owners.set(one.oid, own(column, `${name}: a group, as ${from} declares`));
    }
  inherit(catalog, owners);
  throughParents(catalog, owners);
  for (const table of catalog.tables) {
    if (owners.has(table.oid)) continue;
    const isDeclared = declared.get(table.oid)?.read.some(({ kind }) => kind === 'everyone');
    owners.set(table.oid, isReadOnly(table) ? reference() : isDeclared ? readable() : unknown());
  }
  return owners;
}

/** The owner columns that comments declare. The first of several names the owner; the others name users who share the row. */
function declaredColumns(catalog: Catalog): [Relation, { column: Column; why: string }][] {
  const declared = declarationsOf(catalog);
  return catalog.tables.flatMap((table): [Relation, { column: Column; why: string }][] => {
    const { owner } = declared.get(table.oid) ?? {};
    if (!owner || owner.kind === 'parent') return [];
    const name = owner.kind === 'group' ? owner.column : owner.columns[0];
    const column = table.columns.find((one) => one.name === name);
    if (!column) throw new UsageError(`The comment of ${table.name} names the column ${name}, which does not exist.`);
    const members = owner.kind === 'group' ? `, the members of the group are in ${owner.members.table.join('.')}` : '';
    return [[table, { column, why: `${name}: declared${members}` }]];
  });
}

/** The columns that a comment declares as references to the owning row. */
function declaredParents(catalog: Catalog, table: Relation): readonly string[] | undefined {
  const owner = declarationsOf({ ...catalog, tables: [table] }).get(table.oid)?.owner;
  return owner?.kind === 'parent' ? owner.columns : undefined;
}

/** A group that comments declare as an owner. */
export interface DeclaredGroup {
  /** The table that declares it. */
  readonly from: string;
  readonly members: Relation;
  readonly groupColumn: string;
  readonly userColumn: string;
  readonly conditions: readonly Comparison[];
  /** The table of the groups and its key, if a foreign key refers to it. */
  readonly table: Relation | undefined;
  readonly key: string | undefined;
}

export function groupsOf(catalog: Catalog): DeclaredGroup[] {
  const declared = declarationsOf(catalog);
  const target = (table: Relation, column: string) =>
    table.foreignKeys.flatMap(({ columns, references, referenced }) => {
      const at = columns.indexOf(column);
      const found = catalog.relations.get(references);
      return at >= 0 && found ? [{ table: found, key: referenced[at] as string }] : [];
    });
  return catalog.tables.flatMap((from): DeclaredGroup[] => {
    const { owner } = declared.get(from.oid) ?? {};
    if (owner?.kind !== 'group') return [];
    const { column, groupColumn, members } = owner;
    const table = declaredTable(catalog, from, members.table);
    const [group] = [...target(from, column), ...target(table, groupColumn)];
    return [
      {
        from: from.name,
        members: table,
        groupColumn,
        userColumn: members.userColumn,
        conditions: members.conditions,
        table: group?.table,
        key: group?.key,
      },
    ];
  });
}

type Signs = Map<string, { score: number; why: string[] }>;

function add(signs: Signs, column: string, score: number, why: string): void {
  const sign = signs.get(column) ?? { score: 0, why: [] };
  if (sign.why.includes(why)) return;
  signs.set(column, { score: sign.score + score, why: [...sign.why, why] });
}

function readSigns(catalog: Catalog, table: Relation): Signs {
  const signs: Signs = new Map();
  const identity = `(?:\\(\\s*SELECT\\s+)?(?:[^=]{0,60}?)(?:${[
    ...tenantSettings(catalog).map((setting) => `current_setting\\('${escapeRegExp(setting)}'`),
    ...catalog.helpers.map(({ sql }) => `${callPattern(sql)}\\)`),
  ].join('|')})`;
  for (const column of table.columns) {
    const name = `\\(*(?:${escapeRegExp(table.relname)}\\.)?${escapeRegExp(/^[a-z_][a-z0-9_$]*$/.test(column.name) ? column.name : quote(column.name))}\\)?(?:::[\\w ]+)?\\)?`;
    const compared = new RegExp(
      `(?<![\\w."])${name} (?:=|IS NOT DISTINCT FROM) ${identity}|${identity}[^=]{0,60}? (?:=|IS NOT DISTINCT FROM) ${name}(?![\\w"])`,
    );
    for (const policy of table.policies) {
      if (compared.test(policy.using ?? '') || compared.test(policy.check ?? '')) {
        add(signs, column.name, 4, 'a policy compares it with the setting');
      }
    }
    if (column.default && new RegExp(identity).test(column.default)) {
      add(signs, column.name, 5, 'its default is the setting');
    }
    if (usual.includes(column.name)) add(signs, column.name, 3, byName);
    else if (likely.includes(column.name)) add(signs, column.name, 1, byName);
  }
  return signs;
}

function best(table: Relation, signs: Signs): Ownership | undefined {
  const ranked = table.columns
    .flatMap((column) => {
      const sign = signs.get(column.name);
      return sign ? [{ column, score: sign.score + (column.notNull ? 0.5 : 0), why: sign.why }] : [];
    })
    .sort((one, other) => other.score - one.score);
  const [first] = ranked;
  return first && own(first.column, `${first.column.name}: ${first.why.join(', ')}`);
}

const own = (column: Column, why: string): Ownership => ({
  kind: 'own',
  column,
  sql: (alias) => `${alias}.${quote(column.name)}::text`,
  why,
});

/** A partition or child table has the owner column of its parent table. */
function inherit(catalog: Catalog, owners: Map<number, Ownership>): void {
  for (const table of catalog.tables) {
    for (let parent = table.parent; parent; parent = catalog.relations.get(parent)?.parent ?? null) {
      const owner = owners.get(parent);
      const column = table.columns.find(({ name }) => name === owner?.column?.name);
      if (column) owners.set(table.oid, own(column, `${column.name}: as ${catalog.relations.get(parent)?.name}`));
      else if (owner?.kind === 'shared') owners.set(table.oid, owner);
    }
  }
}

/** A table without an owner column takes its owner from a referenced row; required references come first. */
function throughParents(catalog: Catalog, owners: Map<number, Ownership>): void {
  for (let before = -1; before !== owners.size; ) {
    before = owners.size;
    for (const table of catalog.tables) {
      if (owners.has(table.oid)) continue;
      const required = (name: string) => table.columns.find((column) => column.name === name)?.notNull;
      const declared = declaredParents(catalog, table);
      const keys = table.foreignKeys
        .filter(({ columns }) => declared === undefined || columns.some((name) => declared.includes(name)))
        .filter(({ references }) => ['own', 'parent'].includes(owners.get(references)?.kind ?? ''))
        .sort((a, b) => Number(b.columns.every(required)) - Number(a.columns.every(required)));
      const [key] = keys;
      const parent = key && catalog.relations.get(key.references);
      if (!key || !parent) continue;
      const of = owners.get(parent.oid) as Ownership;
      owners.set(table.oid, {
        kind: 'parent',
        why: `${declared ? 'declared: ' : ''}the owner of ${parent.name}, through ${key.columns.join(', ')}`,
        sql: (alias) => {
          const on = key.columns.map(
            (name, i) => `${alias}p.${quote(key.referenced[i] as string)} = ${alias}.${quote(name)}`,
          );
          return `(select ${of.sql(`${alias}p`)} from ${parent.sql} ${alias}p where ${on.join(' and ')})`;
        },
      });
    }
  }
}

/** Whether the column's comment declares that tenants share rows through it. Such a column keeps its default. */
export const isSharedColumn = ({ comment }: Column) => sharedReason(comment) !== undefined;

/** Whether the table's rows are the tenants themselves: its key is the owner and references no other table. */
export function isTenants(table: Relation, ownership: Ownership | undefined): boolean {
  const name = ownership?.column?.name;
  if (name === undefined || !isKey(table, name)) return false;
  return !table.foreignKeys.some(({ columns }) => columns.length === 1 && columns[0] === name);
}

export const isKey = ({ keys }: Relation, column: string) =>
  keys.some((key) => key.kind !== 'exclusion' && !key.partial && key.columns.length === 1 && key.columns[0] === column);

function isReadOnly({ privileges, columns }: Relation): boolean {
  return (
    !privileges.some((privilege) => ['insert', 'update', 'delete', 'truncate'].includes(privilege)) &&
    !columns.some(({ insert, update }) => insert || update)
  );
}

const shared = (why: string): Ownership => ({ kind: 'shared', sql: () => 'null::text', why });
const reference = () => shared('tenants can only read it, and no column refers to a tenant');
const readable = () => shared('declared: all tenants may read it, and no column refers to one');
const unknown = (): Ownership => ({ kind: 'unknown', sql: () => 'null::text', why: 'no column refers to a tenant' });
