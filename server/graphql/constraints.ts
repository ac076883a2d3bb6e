import type pg from 'pg';
import type { Introspection, PgConstraint } from 'postgraphile/graphile-build-pg/pg-introspection';

/** The client's error for a violated constraint. */
interface Violation {
  /** The name of the field in the API; `undefined` if the constraint has no column or several. */
  readonly field: string | undefined;
  /** The constraint's comment. */
  readonly sentence: string | undefined;
}

/** Constraints of the database with their names and messages in the API. They are read with the schema. */
export interface Constraints {
  readonly plugin: GraphileConfig.Plugin;
  violatedBy(error: pg.DatabaseError): Violation;
  /** Returns the name of a column's field in the API; `undefined` if it has none. */
  fieldOf(schema: string, table: string, column: string): string | undefined;
}

/**
 * Reads the constraints. A constraint's comment is the message that a client gets for a violation, so that the message is
 * written next to the constraint.
 */
export function readConstraints(): Constraints {
  const sentences = new Map<string, string>();
  /** The only column of a constraint, by `schema.table.constraint`. */
  const columns = new Map<string, string>();
  /** The field of a column, by `schema.table.column`. */
  const fields = new Map<string, string>();

  const read = (constraint: PgConstraint) => {
    const table = constraint.getClass();
    const key = name(
      constraint.getNamespace()?.nspname,
      table?.relname ?? constraint.getType()?.typname,
      constraint.conname,
    );
    const { tags, description } = constraint.getTagsAndDescription();
    if (description) sentences.set(key, description);
    const [attribute, ...others] = (table && constraint.getAttributes()) ?? [];
    if (attribute && others.length === 0) columns.set(key, attribute.attname);
    // PostGraphile would use the comment as the description of a foreign key's field.
    constraint.getTagsAndDescription = () => ({ tags, description: undefined });
  };

  return {
    plugin: {
      name: 'ConstraintsPlugin',
      version: '1.0.0',
      // HideOwnerColumnPlugin first removes the tenant's column from the constraints.
      after: ['HideOwnerColumnPlugin'],
      gather: {
        hooks: {
          pgIntrospection_introspection: {
            before: ['PgFakeConstraintsPlugin'],
            callback(_info: unknown, { introspection }: { introspection: Introspection }) {
              for (const map of [sentences, columns]) map.clear();
              for (const constraint of introspection.constraints) read(constraint);
            },
          },
        },
      } as unknown as NonNullable<GraphileConfig.Plugin['gather']>,
      schema: {
        hooks: {
          finalize(schema, { inflection, input }) {
            fields.clear();
            for (const codec of Object.values(input.pgRegistry.pgCodecs)) {
              const table = codec.extensions?.pg;
              for (const attributeName of table ? Object.keys(codec.attributes ?? {}) : []) {
                const field = inflection.attribute({ attributeName, codec: codec as never });
                fields.set(name(table?.schemaName, table?.name, attributeName), field);
              }
            }
            return schema;
          },
        },
      },
    },
    fieldOf: (schema, table, column) => fields.get(name(schema, table, column)),
    violatedBy({ schema, table, dataType, constraint, column }) {
      const key = name(schema, table ?? dataType, constraint);
      const field = fields.get(name(schema, table, column ?? columns.get(key)));
      return { field, sentence: sentences.get(key) };
    },
  };
}

function name(...parts: readonly (string | undefined)[]): string {
  return JSON.stringify(parts);
}
