import { type PgCodec, TYPES } from 'postgraphile/@dataplan/pg';
import { GraphQLError, type GraphQLOutputType, getNullableType } from 'postgraphile/graphql';
import { correctBuiltinTypes, tellEmpty, tolerateItems } from './codecs.ts';

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
        tolerateItems(pgCodec);
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
        return { ...config, parseValue: (value) => parseValue(demandExact(name, value)) };
      },
      GraphQLObjectType_fields_field(field, _build, { scope }) {
        const isJson = scope.pgFieldAttribute !== undefined && isJsonCodec(scope.pgFieldAttribute.codec);
        // A column that is never null in SQL may hold the JSON value null.
        return isJson ? { ...field, type: getNullableType(field.type) as GraphQLOutputType } : field;
      },
    },
  },
};

/** @throws GraphQLError for a number that may have lost digits when the request was parsed. */
function demandExact(type: string, value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  throw new GraphQLError(`${type} takes a number beyond 2^53 as a string only, because JSON parsers change its digits`);
}

function isJsonCodec(codec: PgCodec): boolean {
  return (
    codec === TYPES.json || codec === TYPES.jsonb || (codec.domainOfCodec ? isJsonCodec(codec.domainOfCodec) : false)
  );
}
