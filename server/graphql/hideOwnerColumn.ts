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

/** The column with the owner of a row. The database fills it in, so the API does not contain it. */
export const tenantColumn = 'user_id';

/**
 * Hides the tenant's column from the API. Keys of tables lead with that column, so that no key spans tenants. Under the
 * policies it has only one value, so the API omits it: `(user_id, id)` becomes a key of `id`, and `(user_id, list_id)` a
 * reference by `list_id`. The constraints and indexes in Postgres do not change.
 */
export const hideOwnerColumnPlugin: GraphileConfig.Plugin = {
  name: 'HideOwnerColumnPlugin',
  version: '1.0.0',
  gather: {
    hooks: {
      pgIntrospection_introspection: {
        // This must run before PostGraphile names anything after a key.
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

/** The constraints from which the tenant's column was removed. */
const withoutTenant = new WeakSet<PgConstraint>();

/** Returns the columns of a key as Postgres enforces it. The tenant's column is last; without it, the others lead an index. */
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
