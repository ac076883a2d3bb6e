import type pg from 'pg';

/** The database that the lint inspects: whose tables, whose policies, and how a transaction names its tenant. */
export interface LintScope {
  /** The schemas that are inspected; undefined for all of them. */
  readonly schemas: readonly string[] | undefined;
  /** The schema whose every table belongs to tenants; undefined where only those do that the role has a grant on. */
  readonly apiSchema: string | undefined;
  /** The role of tenants' transactions. */
  readonly role: string;
  /** The roles that the server runs as. None of them may bypass policies or create objects. */
  readonly serverRoles: readonly string[];
  /** The role that is meant to own everything; undefined where that is anybody's choice. */
  readonly owner: string | undefined;
  /** The setting that policies read the tenant from; undefined where it is not known. */
  readonly setting: string | undefined;
  /** Keys of the claims that name the tenant, where the setting holds JSON; undefined for all that tell users apart. */
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
};

export const isHedgerow = ({ owner }: LintScope) => owner === hedgerow.owner;

/** An owner column that was found outside of SQL. */
export interface OwnerColumn {
  readonly oid: string;
  readonly attnum: number;
}

// Rules are SQL that needs no right but to read the catalogs. They read the scope from settings of the transaction.

const read = (name: string) => `current_setting('hedgerow_lint.${name}')`;

/** The name of the role of tenants' transactions, for has_table_privilege and its like. */
export const tenantRole = `${read('role')}::name`;

/** The role that is meant to own everything; null where there is none. */
export const ownerRole = `nullif(${read('owner')}, '')`;

/** `oid` and `rolname` of the roles that the server runs as, to put after `from` or `join`. */
export const serverRoles = `(select oid, rolname from pg_roles where rolname = any (${read('server_roles')}::text[]))`;

/** Whether the pg_namespace `n` is inspected. */
export const inScope = `(${read('schemas')} = '{}' or n.nspname = any (${read('schemas')}::text[]))`;

/** The schema whose every table belongs to tenants; empty where there is none. */
export const apiSchema = read('api_schema');

/** The setting that policies read the tenant from, as a regular expression; one that matches nothing where it is unknown. */
export const settingPattern = read('setting_pattern');

/** Owner columns that were found outside of SQL, as JSON. */
export const foundOwners = `${read('owners')}::json`;

/** Makes the scope known to rules, for the rest of the transaction. */
export async function setScope(
  client: pg.ClientBase,
  scope: LintScope,
  owners: readonly OwnerColumn[] = [],
): Promise<void> {
  const array = (names: readonly string[]) =>
    `{${names.map((name) => `"${name.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
  const settings = {
    role: scope.role,
    owner: scope.owner ?? '',
    server_roles: array(scope.serverRoles),
    schemas: array(scope.schemas ?? []),
    api_schema: scope.apiSchema ?? '',
    setting_pattern: scope.setting?.replaceAll(/[^\w]/g, '\\$&') ?? '$^',
    owners: JSON.stringify(owners),
  };
  await client.query("select set_config('hedgerow_lint.' || key, value, true) from json_each_text($1::json)", [
    JSON.stringify(settings),
  ]);
}
