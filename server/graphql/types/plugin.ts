import { type PgCodec, TYPES } from 'postgraphile/@dataplan/pg';
import { GraphQLError, type GraphQLOutputType, getNullableType } from 'postgraphile/graphql';
import { correctBuiltinTypes, distinguishEmptyRange, serveOtherItems } from './codecs.ts';

correctBuiltinTypes();

/**
 * Serves values of Postgres without loss: infinite dates and dates BC, 24:00, fractions of negative intervals, and `null`
 * as a JSON value. A value that its GraphQL type cannot represent is an error, never another value.
 */
export const typesPlugin: GraphileConfig.Plugin = {
  name: 'TypesPlugin',
  version: '1.0.0',
  gather: {
    hooks: {
      pgCodecs_PgCodec(_info, { pgCodec }) {
        if (pgCodec.rangeOfCodec) distinguishEmptyRange(pgCodec);
        serveOtherItems(pgCodec);
      },
    },
  },
  schema: {
    hooks: {
      GraphQLScalarType(config, build) {
        const { inflection } = build;
        const exact = [inflection.builtin('BigInt'), inflection.builtin('BigFloat')];
        const { name, parseValue } = config;
        if (!exact.includes(name) || !parseValue) return config;
        return { ...config, parseValue: (value) => parseValue(requireExact(name, value)) };
      },
      GraphQLObjectType_fields_field(field, _build, { scope }) {
        const isJson = scope.pgFieldAttribute !== undefined && isJsonCodec(scope.pgFieldAttribute.codec);
        // A column that is not null in SQL may contain the JSON value null.
        return isJson ? { ...field, type: getNullableType(field.type) as GraphQLOutputType } : field;
      },
    },
  },
};

/** @throws GraphQLError for a number that may have lost digits when the request was parsed. */
function requireExact(type: string, value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  throw new GraphQLError(
    `${type} accepts a number beyond 2^53 only as a string, because JSON parsers change its digits`,
  );
}

function isJsonCodec(codec: PgCodec): boolean {
  return (
    codec === TYPES.json || codec === TYPES.jsonb || (codec.domainOfCodec ? isJsonCodec(codec.domainOfCodec) : false)
  );
}
