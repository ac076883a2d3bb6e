import type pg from 'pg';

/** The part of a database that the linter inspects, its roles, and the setting that identifies the tenant. */
export interface LintScope {
  /** The inspected schemas. `undefined` stands for all of them. */
  readonly schemas: readonly string[] | undefined;
  /** The schema in which every table is a tenant table. If undefined, only tables with a grant to the role are. */
  readonly apiSchema: string | undefined;
  /** The role that runs tenants' transactions. */
  readonly role: string;
  /** The roles that the server uses. None of them may bypass policies or create objects. */
  readonly serverRoles: readonly string[];
  /** The role that has to own every object. `undefined` if any role may. */
  readonly owner: string | undefined;
  /** The setting that policies read the tenant from. `undefined` if it is unknown. */
  readonly setting: string | undefined;
  /** The setting that policies read the organization from, for tables whose rows belong to organizations. */
  readonly groupSetting?: string | undefined;
  /** Other settings that only the server sets, such as the role in the organization. They identify no tenant. */
  readonly trustedSettings?: readonly string[] | undefined;
  /**
   * Claims that identify the tenant, if the setting holds JSON. If undefined, every claim that tells users apart
   * counts.
   */
  readonly claims?: readonly string[] | undefined;
}

/** Hedgerow's own database. */
export const hedgerow: LintScope = {
  schemas: undefined,
  apiSchema: 'app_public',
  role: 'hedgerow_tenant',
  serverRoles: ['hedgerow_authenticator', 'hedgerow_tenant', 'hedgerow_auth'],
  owner: 'hedgerow_owner',
  setting: 'app.current_user_id',
  groupSetting: 'app.current_organization_id',
  trustedSettings: ['app.current_member_role'],
};

export const isHedgerow = ({ owner }: LintScope) => owner === hedgerow.owner;

/** The identities of a transaction: its user, and the organization that it acts for. */
export type IdentityKind = 'user' | 'group';

/** A column of a table, by the table's oid. */
export interface TableColumn {
  readonly oid: string;
  readonly attnum: number;
}

/** An owner column, and the kind of tenant that it identifies. */
interface OwnerColumn extends TableColumn {
  readonly kind: IdentityKind;
}

// Rules are SQL queries that need only read access to the catalogs. They read the scope from transaction-local
// settings, which setScope() sets. A query fails if the scope is not set.

const read = (name: string) => `current_setting('hedgerow_lint.${name}')`;

/** The name of the tenants' role, for functions such as has_table_privilege(). */
export const tenantRole = `${read('role')}::name`;

/** The role that has to own every object, or null. */
export const ownerRole = `nullif(${read('owner')}, '')`;

/** The roles that the server uses, as a subquery after `from` or `join`. The columns are `oid` and `rolname`. */
export const serverRoles = `(select oid, rolname from pg_roles where rolname = any (${read('server_roles')}::text[]))`;

/** A condition: the linter inspects the schema `n` (pg_namespace). */
export const inScope = `(${read('schemas')} = '{}' or n.nspname = any (${read('schemas')}::text[]))`;

/** The schema in which every table is a tenant table, or an empty string. */
export const apiSchema = read('api_schema');

/** A regular expression for the settings that only the server sets. It matches nothing if they are unknown. */
export const settingPattern = read('setting_pattern');

/** The owner columns, as JSON. */
export const foundOwners = `${read('owners')}::json`;

/** References that policies for writes restrict, as a subquery after `from`. The columns are `oid` and `attnum`. */
export const guardedColumns = `json_to_recordset(${read('guarded')}::json)`;

/** Facts that the linter determines before it applies the rules. */
interface Found {
  readonly owners?: readonly OwnerColumn[];
  readonly guarded?: readonly TableColumn[];
}

/** Sets the scope that rules read, for the rest of the transaction. */
export async function setScope(
  client: pg.ClientBase,
  scope: LintScope,
  { owners = [], guarded = [] }: Found = {},
): Promise<void> {
  const array = (names: readonly string[]) =>
    `{${names.map((name) => `"${name.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
  const identitySettings = [scope.setting, scope.groupSetting, ...(scope.trustedSettings ?? [])].filter(
    (name) => name !== undefined,
  );
  const settings = {
    role: scope.role,
    owner: scope.owner ?? '',
    server_roles: array(scope.serverRoles),
    schemas: array(scope.schemas ?? []),
    api_schema: scope.apiSchema ?? '',
    setting_pattern: identitySettings.map((name) => name.replaceAll(/[^\w]/g, '\\$&')).join('|') || '$^',
    owners: JSON.stringify(owners),
    guarded: JSON.stringify(guarded),
  };
  await client.query("select set_config('hedgerow_lint.' || key, value, true) from json_each_text($1::json)", [
    JSON.stringify(settings),
  ]);
}
