import { createHash } from 'node:crypto';
import { type PgCodec, type PgOrderSpec, type PgSelectQueryBuilder, PgSelectStep } from 'postgraphile/@dataplan/pg';
import { type SQL, sql } from 'postgraphile/pg-sql2';

/** One expression of an `order by`. */
export interface Order {
  readonly expression: SQL;
  /** The column, where the expression is one of the table and nothing else. */
  readonly column: string | undefined;
  /** Its type, as SQL that a value is cast to. */
  readonly type: SQL;
  readonly isNullable: boolean;
  readonly isDescending: boolean;
  readonly nullsFirst: boolean;
}

/** The columns of a table, by name. */
type Attributes = Readonly<Record<string, { readonly codec: PgCodec; readonly notNull?: boolean | undefined }>>;

type Query = Pick<PgSelectQueryBuilder, 'alias' | 'orderBy'>;

/**
 * Orders by the object that has got them: the builder of one request's query, or the alias of a select, which is the same
 * object in the step and in every query that is built from it. PostGraphile does not tell the orders.
 */
const ordersBy = new WeakMap<object, Order[]>();

/** The orders of a query in their sequence: those of its plan, then those of its request. */
export function ordersOf(query: PgSelectQueryBuilder): readonly Order[] {
  return [...(ordersBy.get(query.alias) ?? []), ...(ordersBy.get(query) ?? [])];
}

/** Adds an order to a query, and remembers it for the condition of a cursor. */
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
  // Postgres puts nulls last, and first where the order is descending.
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
    // A function may return null unless it is said that it does not.
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

/** Types whose fields have a text that Postgres reads back: a cursor can share the selected expression of the field. */
const lossless = new Set([
  ...['text', 'varchar', 'bpchar', 'char', 'name', 'citext', 'uuid'],
  // As types/codecs.ts serves them.
  ...['date', 'timestamp', 'timestamptz', 'time', 'timetz'],
]);

/**
 * The codec with which a value goes into a cursor: as the text that Postgres reads back without loss. The codec of the
 * field loses nulls of booleans, infinities, NaN and the digits of intervals, and makes objects of ranges.
 */
function cursorCodec(codec: PgCodec): PgCodec {
  if (lossless.has(codec.name)) return codec;
  return { ...codec, castFromPg: undefined, fromPg: asIs } as object as PgCodec;
}

const asIs = (value: unknown) => value;

/** The mark of an order that PostGraphile puts first into the order's cursors. */
export function digestOf(orders: readonly Order[]): string {
  const texts = orders.map(({ expression }) => sql.compile(expression).text);
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 10);
}
