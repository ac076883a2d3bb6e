import {
  type PgCodecWithAttributes,
  type PgOrderSpec,
  type PgSelectQueryBuilder,
  PgSelectStep,
} from 'postgraphile/@dataplan/pg';
import { constant, type FieldArgs, lambda, type ObjectStep, Step } from 'postgraphile/grafast';
import type { GraphQLEnumValueConfig } from 'postgraphile/graphql';
import { isNatural } from './cursor.ts';
import { isReadable } from './key.ts';
import { addOrder } from './order.ts';
import { hasReadableKey, ResultEdgeStep } from './payloadEdge.ts';
import { CursorStep } from './step.ts';

/** The parts of a connection's step that pages use. */
interface Connection extends Step {
  getSubplan(): Step;
  setAfter($cursor: Step): void;
  setBefore($cursor: Step): void;
}

type Apply = (query: PgSelectQueryBuilder, ...rest: unknown[]) => void;

/**
 * Makes consecutive pages of a connection contain exactly the rows of a plain `order by`. PostGraphile loses rows if an
 * order has nulls, takes the first column of a key for the whole key, and writes cursors that lose values. This plugin
 * records each order, completes it to a unique one, and compares it with the cursor by `conditionOf`.
 */
export const cursorsPlugin: GraphileConfig.Plugin = {
  name: 'CursorsPlugin',
  version: '1.0.0',
  after: ['PagesPlugin'],
  schema: {
    hooks: {
      GraphQLEnumType_values(values, _build, { scope }) {
        const codec = scope.isPgRowSortEnum ? scope.pgCodec : undefined;
        if (codec?.polymorphism?.mode !== 'union') return values;
        // Only PostGraphile can order rows of several tables. The API omits orders by which it would lose rows.
        const isOffered = ([, value]: [string, GraphQLEnumValueConfig]) => !ordersByNullable(value, codec as never);
        return Object.fromEntries(Object.entries(values).filter(isOffered));
      },
      GraphQLEnumType_values_value(value, _build, { scope }) {
        const apply = value.extensions?.grafast?.apply as Apply | undefined;
        const codec = scope.isPgRowSortEnum ? (scope.pgCodec as PgCodecWithAttributes | undefined) : undefined;
        if (!apply || !codec?.attributes) return value;
        const recording: Apply = (query, ...rest) => {
          if (isOfOneTable(query)) apply(recorder(query, codec), ...rest);
          else apply(query, ...rest);
        };
        return {
          ...value,
          extensions: { ...value.extensions, grafast: { ...value.extensions?.grafast, apply: recording } },
        };
      },
      GraphQLObjectType_fields_field_args(args, _build, { scope }) {
        if (!scope.isPgFieldConnection) return args;
        for (const [name, set] of [
          ['after', 'setAfter'],
          ['before', 'setBefore'],
        ] as const) {
          const argument = args[name];
          const native = argument?.applyPlan;
          if (!argument || !native) continue;
          argument.applyPlan = ($parent, $connection: Connection, input, info) => {
            if (!($connection.getSubplan() instanceof PgSelectStep)) return native($parent, $connection, input, info);
            $connection[set](lambda(input.getRaw(), naturalOrNull, true));
          };
        }
        return args;
      },
      GraphQLObjectType_fields_field(field, build, { scope }) {
        const { plan } = field;
        if (!plan) return field;
        if (scope.isPgFieldConnection) {
          return {
            ...field,
            plan($parent, fieldArgs, info) {
              const $connection = plan($parent, fieldArgs, info) as unknown as Connection;
              const names = info.field.args.map(({ name }) => name);
              const raw = (name: string) => (names.includes(name) ? (fieldArgs.getRaw(name) as Step) : undefined);
              // Apply the orders of the arguments before the columns that complete them.
              fieldArgs.autoApply($connection);
              applyCursors($connection.getSubplan(), raw('after'), raw('before'));
              return $connection as never;
            },
          };
        }
        const table =
          scope.isPgMutationPayloadEdgeField && build.pgTableResource(scope.pgCodec as PgCodecWithAttributes);
        if (table && !hasReadableKey(table)) {
          return {
            ...field,
            plan($payload) {
              const $result = ($payload as ObjectStep).getStepForKey('result', true);
              return ($result ? new ResultEdgeStep($result) : constant(null)) as never;
            },
          };
        }
        if (scope.isPgMutationPayloadEdgeField) {
          return {
            ...field,
            plan($parent, fieldArgs, info) {
              const apply: FieldArgs['apply'] = ($select, ...path: never[]) => {
                fieldArgs.apply($select, ...path);
                applyCursors($select);
              };
              return plan($parent, Object.create(fieldArgs, { apply: { value: apply } }), info);
            },
          };
        }
        return field;
      },
    },
  },
};

function applyCursors($select: unknown, $after?: Step, $before?: Step): void {
  if ($select instanceof PgSelectStep) $select.apply(new CursorStep($select.resource as never, $after, $before));
}

const naturalOrNull = (cursor: unknown) => (isNatural(cursor) ? cursor : null);

/**
 * Tells whether a query selects from one table. A literal order applies to the step during planning; an order in a
 * variable applies to the query of each request.
 */
function isOfOneTable(query: PgSelectQueryBuilder | Step): boolean {
  return query instanceof Step ? query instanceof PgSelectStep : typeof query.selectAndReturnIndex === 'function';
}

/** Wraps a query so that the orders that are added to it are recorded. */
function recorder(query: PgSelectQueryBuilder, codec: PgCodecWithAttributes): PgSelectQueryBuilder {
  const orderBy = (spec: PgOrderSpec) => {
    // PostGraphile offers the order by primary key even if tenants may not read all of its columns.
    if (spec.attribute === undefined || isReadable(codec, spec.attribute)) addOrder(query, spec, codec.attributes);
  };
  return Object.create(query, {
    orderBy: { value: orderBy },
    // PostGraphile calls it for the first column of a key and for columns with nulls, where the order is not unique.
    setOrderIsUnique: { value: () => {} },
  });
}

function ordersByNullable(value: GraphQLEnumValueConfig, { attributes }: PgCodecWithAttributes): boolean {
  const apply = value.extensions?.grafast?.apply as Apply | undefined;
  let nullable = false;
  const orderBy = ({ attribute }: { attribute?: string }) => {
    if (attribute !== undefined && !attributes[attribute]?.notNull) nullable = true;
  };
  apply?.({ orderBy, setOrderIsUnique: () => {} } as never);
  return nullable;
}
