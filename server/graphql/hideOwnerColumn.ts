import type { PgCodecAttribute, PgResourceUnique } from 'postgraphile/@dataplan/pg';
import type { Introspection, PgAttribute, PgConstraint } from 'postgraphile/graphile-build-pg/pg-introspection';
import { pinnedColumns } from './pinnedColumns.ts';

declare global {
  namespace DataplanPg {
    interface PgResourceUniqueExtensions {
      /** Columns that the key has in Postgres and not in the API. */
      hiddenColumns?: readonly string[];
    }
    interface PgCodecAttributeExtensions {
      /** The column has one value in all rows that a tenant reaches, and the API leaves it out. */
      isHiddenOwner?: boolean;
    }
  }
}

/**
 * Hides the owner column of tables whose rows all belong to the tenant. Their keys lead with the owner column, so that no
 * key spans tenants. Every policy pins that column to the identity, so the API can do without it: `(user_id, id)` becomes
 * a key of `id`, and `(user_id, list_id)` a reference by `list_id`. Postgres still checks and uses the whole key.
 *
 * Where a policy lets a tenant reach rows of others, nothing is hidden: the column then tells rows apart.
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
          hideOwnerColumns(introspection);
        },
      },
      pgTables_unique(
        _info: unknown,
        { pgConstraint, unique }: { pgConstraint: PgConstraint; unique: PgResourceUnique },
      ) {
        const hiddenColumns = hiddenOf.get(pgConstraint);
        if (hiddenColumns) unique.extensions = { ...unique.extensions, hiddenColumns };
      },
      pgCodecs_attribute(
        _info: unknown,
        { pgAttribute, attribute }: { pgAttribute: PgAttribute; attribute: PgCodecAttribute },
      ) {
        if (hidden.has(pgAttribute)) attribute.extensions = { ...attribute.extensions, isHiddenOwner: true };
      },
    },
  } as unknown as NonNullable<GraphileConfig.Plugin['gather']>,
  schema: {
    entityBehavior: {
      pgCodecAttribute: {
        override(behavior, [codec, name]) {
          return codec.attributes[name]?.extensions?.isHiddenOwner ? [behavior, '-*'] : behavior;
        },
      },
    },
  },
};

const hidden = new WeakSet<PgAttribute>();
/** The columns that a constraint has lost. */
const hiddenOf = new WeakMap<PgConstraint, readonly string[]>();

/** The columns of a key as Postgres enforces it. Hidden ones are last: without them the others lead an index. */
export function columnsOfKey({
  attributes,
  extensions,
}: Pick<PgResourceUnique, 'attributes' | 'extensions'>): readonly string[] {
  return [...attributes, ...(extensions?.hiddenColumns ?? [])];
}

function hideOwnerColumns(introspection: Introspection): void {
  const pinned = pinnedColumns(introspection);
  for (const attribute of pinned) hidden.add(attribute);
  const byNumber = new Map([...pinned].map((attribute) => [`${attribute.attrelid}.${attribute.attnum}`, attribute]));
  const find = (table: string | null, number: number | undefined) => byNumber.get(`${table}.${number}`);
  for (const constraint of introspection.constraints) {
    const { conkey, confkey, conrelid, confrelid, contype } = constraint;
    if (!conkey) continue;
    const isHidden = (number: number, index: number) => {
      const own = find(conrelid, number);
      // A reference loses the column where both sides are pinned to the same identity.
      return own !== undefined && (contype !== 'f' || find(confrelid, confkey?.[index])?.attname === own.attname);
    };
    const lost = conkey.filter(isHidden);
    // A key needs a column that is left: one on the owner column alone names the tenant's only row.
    if (lost.length === 0 || lost.length === conkey.length) continue;
    hiddenOf.set(
      constraint,
      lost.map((number) => (find(conrelid, number) as PgAttribute).attname),
    );
    constraint.conkey = conkey.filter((number) => !lost.includes(number));
    if (confkey) constraint.confkey = confkey.filter((_, index) => !lost.includes(conkey[index] as number));
  }
}
