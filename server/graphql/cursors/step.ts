import { type PgSelectQueryBuilder, TYPES } from 'postgraphile/@dataplan/pg';
import { type Step, UnbatchedStep } from 'postgraphile/grafast';
import { sql } from 'postgraphile/pg-sql2';
import { conditionOf, type Side } from './condition.ts';
import { type Cursor, checkCursor, readCursor } from './cursor.ts';
import { type Key, keyOf, type Table } from './key.ts';
import { addOrder, digestOf, type Order, ordersOf } from './order.ts';
import { numberOf, rowNumberIn } from './rowNumber.ts';

export type Cursors = Partial<Record<Side, Cursor>>;

/** Callback for a select: completes its order and applies the cursors of the request. */
export interface ApplyCursors {
  (query: PgSelectQueryBuilder): void;
  readonly cursors: Cursors;
}

/**
 * Makes the order of a select unique and keeps the rows on the far side of a cursor. It has to be applied after all
 * orders. PostGraphile's own condition loses rows wherever an order has nulls; docs/adr/0050 has the details.
 */
export class CursorStep extends UnbatchedStep<ApplyCursors> {
  override isSyncAndSafe = true;
  readonly table: Table;
  readonly #key: Key;
  /** A row that a mutation answers with is alone in its select, and has no number among the others. */
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

  /** @throws where a cursor is not of the order that the select has. */
  apply(cursors: Cursors): ApplyCursors {
    const { table } = this;
    const key = this.#key;
    const apply = (query: PgSelectQueryBuilder): void => {
      // Of all rows, wherever the page is.
      if (query.mode === 'aggregate') return;
      if (key.isUnique || ordersOf(query).length > 0) completeOrder(query, table, key);
      // PostGraphile would add a key that tenants may not read.
      query.setOrderIsUnique();
      const completed = ordersOf(query);
      const orders = key.isUnique || completed.length === 0 ? completed : this.#numberRows(query, completed);
      for (const side of ['after', 'before'] as const) {
        const cursor = cursors[side];
        if (!cursor) continue;
        checkCursor(cursor, digestOf(orders), orders.length, side);
        // The plan of a numbered select made an offset of the cursor.
        if (key.isUnique) query.where(conditionOf(orders, cursor.slice(1), side));
      }
    };
    return Object.assign(apply, { cursors });
  }

  /** Orders equal rows by their number, which cursors then have. @returns all orders. */
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
