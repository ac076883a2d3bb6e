import { type PgCodec, TYPES } from 'postgraphile/@dataplan/pg';
import { type GraphQLOutputType, getNullableType } from 'postgraphile/graphql';
import { correctBuiltinTypes, tellEmpty } from './codecs.ts';

correctBuiltinTypes();

/**
 * Serves the values of Postgres as they are: both infinities and years before Christ of dates, 24:00, fractions of negative
 * intervals, `null` as a JSON value. What a GraphQL type cannot hold is an error and never another value.
 */
export const typesPlugin: GraphileConfig.Plugin = {
  name: 'TypesPlugin',
  version: '1.0.0',
  gather: {
    hooks: {
      pgCodecs_PgCodec(_info, { pgCodec }) {
        if (pgCodec.rangeOfCodec) tellEmpty(pgCodec);
      },
    },
  },
  schema: {
    hooks: {
      GraphQLObjectType_fields_field(field, _build, { scope }) {
        const isJson = scope.pgFieldAttribute !== undefined && isJsonCodec(scope.pgFieldAttribute.codec);
        // A column that is never null in SQL may hold the JSON value null.
        return isJson ? { ...field, type: getNullableType(field.type) as GraphQLOutputType } : field;
      },
    },
  },
};

function isJsonCodec(codec: PgCodec): boolean {
  return (
    codec === TYPES.json || codec === TYPES.jsonb || (codec.domainOfCodec ? isJsonCodec(codec.domainOfCodec) : false)
  );
}
