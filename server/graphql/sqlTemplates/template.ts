import type { ExecutionDetails } from 'postgraphile/grafast';
import type { Side } from '../cursors/condition.ts';
import { type ApplyCursors, CursorStep, type Cursors } from '../cursors/step.ts';
import { columnsOfKey } from '../hideOwnerColumn.ts';
import { type Select, unaryValue, type Values } from '../internals/select.ts';
import { skipBeforeComputing } from './offset.ts';

/** The result of a select in PostGraphile's format. */
interface Page {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly items: readonly unknown[];
  readonly cursorDetails: unknown;
  readonly groupDetails: unknown;
  readonly m: unknown;
}

/** A placeholder among a statement's values, which each request fills. */
class Slot {
  readonly fill: (values: Values) => unknown;

  constructor(fill: (values: Values) => unknown) {
    this.fill = fill;
  }
}

/** The SQL of a select without the values of a request. */
export interface Template {
  readonly text: string;
  readonly values: readonly unknown[];
  /** The parts of the page that do not depend on its rows. */
  readonly page: Omit<Page, 'hasNextPage' | 'items'>;
}

/** Returns the bound values of one request, in the order of the statement. */
export function valuesOf({ values }: Template, given: Values): unknown[] {
  return values.map((value) => (value instanceof Slot ? value.fill(given) : value));
}

/** Builds a page from rows, as PostGraphile does without `last`. */
export function pageOf({ page }: Template, rows: readonly unknown[], select: Select, given: Values): Page {
  const first = unaryValue(given, select.firstStepId) as number | null | undefined;
  const more = select.fetchOneExtra && first != null && rows.length > first;
  return { ...page, hasNextPage: more, items: more ? rows.slice(0, first) : rows };
}

interface Built {
  readonly text: string;
  readonly rawSqlValues: readonly unknown[];
  readonly identifierIndex: number | null;
}

/**
 * Makes PostGraphile build the SQL of a select, with slots for bound values, without running it.
 *
 * @returns the template; `undefined` if PostGraphile builds no SQL, or SQL for several pages.
 * @throws the error of building the SQL, such as a cursor of another order.
 */
export async function record(select: Select, details: ExecutionDetails): Promise<Template | undefined> {
  const { placeholders, values } = withSlots(select, details.values);
  let built: Built | undefined;
  const build = async (_specs: unknown, common: Built) => {
    built = common;
    return { values: [[]] };
  };
  const resource = Object.create(select.resource, {
    executeWithCache: { value: build },
    executeWithoutCache: { value: build },
  });
  const recorder: Select = Object.create(select, {
    resource: { value: resource },
    placeholders: { value: placeholders },
  });
  const [empty] = (await recorder.execute({ ...details, values })) as [Page];
  if (!built || built.identifierIndex !== null) return undefined;
  const { hasPreviousPage, cursorDetails, groupDetails, m } = empty;
  return {
    text: skipBeforeComputing(built.text, primaryKey(select)),
    values: built.rawSqlValues,
    page: { hasPreviousPage, cursorDetails, groupDetails, m },
  };
}

/** Returns the primary key of the select's table as in Postgres; empty if tenants may not read all of its columns. */
function primaryKey({ resource: { uniques, codec, extensions } }: Select): readonly string[] {
  const primary = uniques.find(({ isPrimary }) => isPrimary);
  if (!primary || !extensions?.hasRealKey) return [];
  const { attributes } = codec;
  const key = columnsOfKey(primary);
  const isReadable = (name: string) => attributes?.[name]?.notNull && attributes[name].extensions?.canSelect !== false;
  return key.every(isReadable) ? key : [];
}

function withSlots({ placeholders, afterStepId, beforeStepId, applyDepIds, dependencies }: Select, given: Values) {
  const values = [...given];
  const put = (id: number, value: unknown) => {
    values[id] = { ...given[id], isBatch: false, at: () => value, unaryValue: () => value } as Values[number];
  };
  const slotted = placeholders.map((placeholder) => {
    const slot = placeholderSlot(placeholder);
    put(placeholder.dependencyIndex, true);
    const codec = Object.create(placeholder.codec, { toPg: { value: () => slot } });
    return { ...placeholder, codec, alreadyEncoded: false };
  });
  for (const id of [afterStepId, beforeStepId]) {
    const cursor = unaryValue(given, id);
    if (id === null || !Array.isArray(cursor)) continue;
    put(id, [cursor[0], ...cursor.slice(1).map((_, index) => cursorSlot(id, index + 1))]);
  }
  for (const id of applyDepIds) {
    const step = dependencies[id];
    if (step instanceof CursorStep) put(id, step.apply(slottedCursors(id, unaryValue(given, id) as ApplyCursors)));
  }
  return { placeholders: slotted, values };
}

/** Returns the cursors with a slot for each value that is not null. */
function slottedCursors(id: number, { cursors }: ApplyCursors): Cursors {
  const slotted: Cursors = {};
  for (const side of ['after', 'before'] as const) {
    const [digest, ...places] = cursors[side] ?? [];
    if (digest === undefined) continue;
    const slots = places.map((value, index) => (value === null ? null : new Slot(placeOf(id, side, index + 1))));
    slotted[side] = [digest, ...slots];
  }
  return slotted;
}

// Slots outlive the request that created them. The functions below are top-level, so that no slot captures that request.

function placeholderSlot({ dependencyIndex, codec, alreadyEncoded }: Select['placeholders'][number]): Slot {
  return new Slot((values) => {
    const value = values[dependencyIndex]?.at(0) ?? null;
    return value === null || alreadyEncoded ? value : codec.toPg(value);
  });
}

function placeOf(id: number, side: Side, index: number): (values: Values) => unknown {
  return (values) => (unaryValue(values, id) as ApplyCursors).cursors[side]?.[index];
}

function cursorSlot(id: number, index: number): Slot {
  return new Slot((values) => (unaryValue(values, id) as unknown[])[index]);
}
