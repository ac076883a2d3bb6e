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
 * Pages of a connection are, one after another, exactly the rows of one plain `order by`. PostGraphile loses rows where an
 * order has nulls, takes the first column of a key for the whole key, and writes cursors that lose values. Here every
 * order is recorded as it is added, completed to a unique one, and compared with the cursor by `conditionOf`.
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
        // Rows of several tables are ordered by PostGraphile alone: what it would lose rows by is not offered.
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
            $connection[set](lambda(input.getRaw(), onlyNatural, true));
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
              // The orders of the arguments come before what completes them.
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

const onlyNatural = (cursor: unknown) => (isNatural(cursor) ? cursor : null);

/** An order that is a literal is applied to the step when the operation is planned, any other to the query at each request. */
function isOfOneTable(query: PgSelectQueryBuilder | Step): boolean {
  return query instanceof Step ? query instanceof PgSelectStep : typeof query.selectAndReturnIndex === 'function';
}

/** The query, as an order that is not PostGraphile's own sees it: what is added is recorded. */
function recorder(query: PgSelectQueryBuilder, codec: PgCodecWithAttributes): PgSelectQueryBuilder {
  const orderBy = (spec: PgOrderSpec) => {
    // The order by the primary key is offered whether or not tenants may read all of its columns.
    if (spec.attribute === undefined || isReadable(codec, spec.attribute)) addOrder(query, spec, codec.attributes);
  };
  return Object.create(query, {
    orderBy: { value: orderBy },
    // PostGraphile says so of the first column of a key, and of columns with nulls.
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
