import type { PgCodecWithAttributes, PgResource, PgSelectQueryBuilder } from 'postgraphile/@dataplan/pg';
import { SafeError, type Step, UnbatchedStep } from 'postgraphile/grafast';
import { conditionOf, type Side } from './condition.ts';
import { columnsOfKey } from '../impliedTenant.ts';
import { type Cursor, checkCursor, readCursor } from './cursor.ts';
import { addOrder, digestOf, ordersOf } from './order.ts';

export type Cursors = Partial<Record<Side, Cursor>>;

/** What a step gives to a select: completes the order, and applies the cursors of the request. */
export interface ApplyCursors {
  (query: PgSelectQueryBuilder): void;
  readonly cursors: Cursors;
}

type Table = PgResource<string, PgCodecWithAttributes>;

/**
 * Makes the order of a select unique and keeps the rows on the far side of a cursor. It has to be applied after all
 * orders. PostGraphile's own condition loses rows wherever an order has nulls; docs/adr/0050 has the details.
 */
export class CursorStep extends UnbatchedStep<ApplyCursors> {
  override isSyncAndSafe = true;
  readonly table: Table;
  readonly #key: readonly string[] | undefined;

  constructor(table: Table, $after: Step | undefined, $before: Step | undefined) {
    super();
    this.table = table;
    this.#key = keyOf(table);
    if ($after && $before) {
      this.addUnaryDependency($after);
      this.addUnaryDependency($before);
    }
  }

  override deduplicate(peers: readonly CursorStep[]): CursorStep[] {
    return peers.filter(({ table }) => table === this.table);
  }

  unbatchedExecute(_extra: unknown, after?: unknown, before?: unknown): ApplyCursors {
    const cursors: Cursors = {};
    for (const [side, text] of [
      ['after', after],
      ['before', before],
    ] as const) {
      const cursor = readCursor(text);
      if (cursor && cursor[0] !== 'natural') cursors[side] = cursor;
    }
    return this.apply(cursors);
  }

  /** @throws where a cursor is not of the order that the select has. */
  apply(cursors: Cursors): ApplyCursors {
    const { table } = this;
    const key = this.#key;
    const apply = (query: PgSelectQueryBuilder): void => {
      // Of all rows, wherever the page is.
      if (query.mode === 'aggregate') return;
      if (key) completeOrder(query, table, key);
      const orders = ordersOf(query);
      for (const side of ['after', 'before'] as const) {
        const cursor = cursors[side];
        if (!cursor) continue;
        if (!key && orders.length > 0) {
          throw new SafeError(`Can only use '${side}' cursor when there is a unique defined order.`);
        }
        checkCursor(cursor, digestOf(orders), orders.length, side);
        const condition = conditionOf(orders, cursor.slice(1), side);
        query.where(condition);
      }
    };
    return Object.assign(apply, { cursors });
  }
}

/** The columns of a unique key that tenants may read; undefined where there is none, as of functions and views. */
function keyOf({ uniques, codec }: Table): readonly string[] | undefined {
  const { attributes } = codec;
  const isReadable = (name: string) => attributes[name]?.extensions?.canSelect !== false;
  return (
    uniques
      // Rows that have null in a unique column may be many.
      .filter(({ isPrimary, attributes: names }) => isPrimary || names.every((name) => attributes[name]?.notNull))
      .map(columnsOfKey)
      .find((columns) => columns.every(isReadable))
  );
}

function completeOrder(query: PgSelectQueryBuilder, { codec }: Table, key: readonly string[]): void {
  const orders = ordersOf(query);
  const direction = orders[0]?.isDescending ? 'DESC' : 'ASC';
  const ordered = new Set(orders.map(({ column }) => column));
  for (const attribute of key) {
    if (!ordered.has(attribute)) addOrder(query, { attribute, direction }, codec.attributes);
  }
  query.setOrderIsUnique();
}
