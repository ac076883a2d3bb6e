import type { PgResourceUnique } from 'postgraphile/@dataplan/pg';
import type { Introspection, PgConstraint } from 'postgraphile/graphile-build-pg/pg-introspection';

declare global {
  namespace DataplanPg {
    interface PgResourceUniqueExtensions {
      /** The key in Postgres also has the tenant's column. */
      hidesTenant?: boolean;
    }
  }
}

/** The column that says whose a row is. The policies fill it in, so the API never speaks of it. */
export const tenantColumn = 'user_id';

/**
 * Tables' keys lead with the tenant's column, so that no key spans tenants. Under the policies that column has one
 * value, and the API can do without it: `(user_id, id)` is read as a key of `id`, and `(user_id, list_id)` as a
 * reference by `list_id`. What Postgres checks and which index it uses stays as it is.
 */
export const hideOwnerColumnPlugin: GraphileConfig.Plugin = {
  name: 'HideOwnerColumnPlugin',
  version: '1.0.0',
  gather: {
    hooks: {
      pgIntrospection_introspection: {
        // Before anything is named after a key.
        before: ['PgFakeConstraintsPlugin'],
        callback(_info: unknown, { introspection }: { introspection: Introspection }) {
          for (const constraint of introspection.constraints) dropTenant(introspection, constraint);
        },
      },
      pgTables_unique(
        _info: unknown,
        { pgConstraint, unique }: { pgConstraint: PgConstraint; unique: PgResourceUnique },
      ) {
        if (withoutTenant.has(pgConstraint)) unique.extensions = { ...unique.extensions, hidesTenant: true };
      },
    },
  } as unknown as NonNullable<GraphileConfig.Plugin['gather']>,
  schema: {
    entityBehavior: {
      pgCodecAttribute: {
        override(behavior, [, attribute]) {
          return attribute === tenantColumn ? [behavior, '-*'] : behavior;
        },
      },
    },
  },
};

/** The constraints that lost the tenant's column. */
const withoutTenant = new WeakSet<PgConstraint>();

/** The columns of a key as Postgres enforces it. The tenant's column is last: without it the others lead an index. */
export function columnsOfKey({ attributes, extensions }: PgResourceUnique): readonly string[] {
  return extensions?.hidesTenant ? [...attributes, tenantColumn] : attributes;
}

function dropTenant(introspection: Introspection, constraint: PgConstraint): void {
  const { conkey, confkey, conrelid } = constraint;
  const position = conkey?.findIndex((number) => columnName(introspection, conrelid, number) === tenantColumn) ?? -1;
  if (!conkey || position < 0 || conkey.length === 1) return;
  withoutTenant.add(constraint);
  constraint.conkey = conkey.toSpliced(position, 1);
  if (confkey) constraint.confkey = confkey.toSpliced(position, 1);
}

function columnName(introspection: Introspection, table: string | null, number: number): string | undefined {
  return introspection.attributes.find(({ attrelid, attnum }) => attrelid === table && attnum === number)?.attname;
}
