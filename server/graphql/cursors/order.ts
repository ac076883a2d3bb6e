import { createHash } from 'node:crypto';
import { type PgCodec, type PgOrderSpec, type PgSelectQueryBuilder, PgSelectStep } from 'postgraphile/@dataplan/pg';
import { type SQL, sql } from 'postgraphile/pg-sql2';

/** One expression of an `order by`. */
export interface Order {
  readonly expression: SQL;
  /** The column's name, if the expression is just a column of the table. */
  readonly column: string | undefined;
  /** The type to which values are cast, as SQL. */
  readonly type: SQL;
  readonly isNullable: boolean;
  readonly isDescending: boolean;
  readonly nullsFirst: boolean;
}

/** The columns of a table, by name. */
type Attributes = Readonly<Record<string, { readonly codec: PgCodec; readonly notNull?: boolean | undefined }>>;

type Query = Pick<PgSelectQueryBuilder, 'alias' | 'orderBy'>;

/**
 * Recorded orders, because PostGraphile does not expose them. The key is the query builder of one request, or the alias of
 * a select. The step and every query built from it share the alias object.
 */
const ordersBy = new WeakMap<object, Order[]>();

/** Returns the orders of a query in sequence: those of the plan, then those of the request. */
export function ordersOf(query: PgSelectQueryBuilder): readonly Order[] {
  return [...(ordersBy.get(query.alias) ?? []), ...(ordersBy.get(query) ?? [])];
}

/** Adds an order to a query, and records it for the condition of a cursor. */
export function addOrder(query: PgSelectQueryBuilder, spec: PgOrderSpec, attributes: Attributes): void {
  const { expression, codec, isNullable } = resolve(query, spec, attributes);
  const { direction, nulls } = spec;
  query.orderBy({
    fragment: expression,
    codec: cursorCodec(codec),
    nullable: isNullable,
    direction,
    ...(nulls && { nulls }),
  });
  const owner = query instanceof PgSelectStep ? query.alias : query;
  const orders = ordersBy.get(owner) ?? [];
  const isDescending = direction === 'DESC';
  // By default, Postgres puts nulls last in ascending order and first in descending order.
  const nullsFirst = nulls ? nulls === 'FIRST' : isDescending;
  const column = spec.callback ? undefined : spec.attribute;
  orders.push({ expression, column, type: codec.sqlType, isNullable, isDescending, nullsFirst });
  ordersBy.set(owner, orders);
}

function resolve(
  query: Query,
  spec: PgOrderSpec,
  attributes: Attributes,
): { expression: SQL; codec: PgCodec; isNullable: boolean } {
  if (spec.attribute === undefined) {
    // A function may return null unless the spec says otherwise.
    return { expression: spec.fragment, codec: spec.codec, isNullable: spec.nullable !== false };
  }
  const attribute = attributes[spec.attribute];
  if (!attribute) throw new Error(`There is no column ${spec.attribute} to order by.`);
  const { codec } = attribute;
  const column = sql`${query.alias}.${sql.identifier(spec.attribute)}`;
  const isNullable = !attribute.notNull && !codec.notNull;
  if (!spec.callback) return { expression: column, codec, isNullable };
  const [expression, own, nullable = true] = spec.callback(column, codec, isNullable);
  return { expression, codec: own, isNullable: nullable };
}

/** Types whose fields are text that Postgres reads back. Their cursors can share the field's selected expression. */
const lossless = new Set([
  'text',
  'varchar',
  'bpchar',
  'char',
  'name',
  'citext',
  'uuid',
  // types/codecs.ts serves the following types without loss.
  'date',
  'timestamp',
  'timestamptz',
  'time',
  'timetz',
]);

/**
 * Returns the codec for values in cursors, which writes text that Postgres reads back without loss. The field's codec
 * loses nulls of booleans, infinities, NaN and digits of intervals, and converts ranges to objects.
 */
function cursorCodec(codec: PgCodec): PgCodec {
  if (lossless.has(codec.name)) return codec;
  return { ...codec, castFromPg: undefined, fromPg: asIs } as object as PgCodec;
}

const asIs = (value: unknown) => value;

/** Computes the digest with which PostGraphile starts the cursors of an order. */
export function digestOf(orders: readonly Order[]): string {
  const texts = orders.map(({ expression }) => sql.compile(expression).text);
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 10);
}
