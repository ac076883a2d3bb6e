import { type PgSelectQueryBuilder, TYPES } from 'postgraphile/@dataplan/pg';
import { type Step, UnbatchedStep } from 'postgraphile/grafast';
import { sql } from 'postgraphile/pg-sql2';
import { conditionOf, type Side } from './condition.ts';
import { type Cursor, checkCursor, readCursor } from './cursor.ts';
import { type Key, keyOf, type Table } from './key.ts';
import { addOrder, digestOf, type Order, ordersOf } from './order.ts';
import { numberOf, rowNumberIn } from './rowNumber.ts';

export type Cursors = Partial<Record<Side, Cursor>>;

/** A callback for a select. It completes the order and applies the cursors of the request. */
export interface ApplyCursors {
  (query: PgSelectQueryBuilder): void;
  readonly cursors: Cursors;
}

/**
 * Makes the order of a select unique, and selects the rows beyond a cursor. Apply it after all orders. PostGraphile's own
 * condition loses rows if an order has nulls; see docs/adr/0050-cursor-conditions.md.
 */
export class CursorStep extends UnbatchedStep<ApplyCursors> {
  override isSyncAndSafe = true;
  readonly table: Table;
  readonly #key: Key;
  /** False for a row in a mutation's payload. Its select has only that row, so it has no row number among others. */
  readonly #isPage: boolean;

  constructor(table: Table, $after: Step | undefined, $before: Step | undefined) {
    super();
    this.table = table;
    this.#key = keyOf(table);
    this.#isPage = $after !== undefined;
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
      if (!cursor || cursor[0] === 'natural') continue;
      if (!this.#key.isUnique) numberOf(cursor);
      cursors[side] = cursor;
    }
    return this.apply(cursors);
  }

  /**
   * Returns the callback that applies `cursors`.
   *
   * @throws SafeError from the callback when a cursor belongs to another order.
   */
  apply(cursors: Cursors): ApplyCursors {
    const { table } = this;
    const key = this.#key;
    const apply = (query: PgSelectQueryBuilder): void => {
      // An aggregate covers all rows, not one page.
      if (query.mode === 'aggregate') return;
      if (key.isUnique || ordersOf(query).length > 0) completeOrder(query, table, key);
      // Otherwise, PostGraphile would add a key that tenants may not read.
      query.setOrderIsUnique();
      const completed = ordersOf(query);
      const orders = key.isUnique || completed.length === 0 ? completed : this.#numberRows(query, completed);
      for (const side of ['after', 'before'] as const) {
        const cursor = cursors[side];
        if (!cursor) continue;
        checkCursor(cursor, digestOf(orders), orders.length, side);
        // For a numbered select, the plan has converted the cursor to an offset.
        if (key.isUnique) query.where(conditionOf(orders, cursor.slice(1), side));
      }
    };
    return Object.assign(apply, { cursors });
  }

  /** Adds the row number as the last order, so that cursors contain it. Returns all orders. */
  #numberRows(query: PgSelectQueryBuilder, orders: readonly Order[]): readonly Order[] {
    const spec = { fragment: this.#isPage ? rowNumberIn(orders) : sql`null::int`, codec: TYPES.int };
    query.orderBy({ ...spec, direction: 'ASC', nullable: false });
    const number = { expression: spec.fragment, column: undefined, type: spec.codec.sqlType };
    return [...orders, { ...number, isNullable: false, isDescending: false, nullsFirst: false }];
  }
}

function completeOrder(query: PgSelectQueryBuilder, { codec }: Table, { columns }: Key): void {
  const orders = ordersOf(query);
  const direction = orders[0]?.isDescending ? 'DESC' : 'ASC';
  const ordered = new Set(orders.map(({ column }) => column));
  for (const attribute of columns) {
    if (!ordered.has(attribute)) addOrder(query, { attribute, direction }, codec.attributes);
  }
}
