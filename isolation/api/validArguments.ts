import { randomBytes, randomUUID } from 'node:crypto';
import {
  type GraphQLInputType,
  type GraphQLObjectType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isNonNullType,
} from 'postgraphile/graphql';
import type { Answer } from '../http/post.ts';
import type { AttackContext } from './attackContext.ts';
import type { ApiActor, GraphQLRequest } from './client.ts';
import { parentValues } from './parents.ts';
import type { Holdings, Row } from './rows.ts';
import { connectionOf, type RootField, select } from './schema.ts';
import { type ArgumentValues, argumentsOf, type Slot, slotsOf } from './slots.ts';
import { decode, unusedValue } from './values.ts';

/** The maximum number of attempts to find arguments that work for a tenant. */
const maxAttempts = 60;

/** The number of new rows to try: with different parents and values, and with or without optional values. */
const maxNewRows = 24;

/** Builds a document for `field` with variables that have the names of the arguments. */
function documentOf(
  { operation, field }: RootField,
  rows: AttackContext['api']['rows'],
  given: readonly string[],
): string {
  const used = field.args.filter(({ name }) => given.includes(name));
  const declared = used.map(({ name, type }) => `$${name}: ${type}`);
  const passed = used.map(({ name }) => `${name}: $${name}`);
  const list = (items: readonly string[]) => (items.length > 0 ? `(${items.join(', ')})` : '');
  return `${operation} ${list(declared)} { ${field.name}${list(passed)} ${select(field.type, rows)} }`;
}

/** Builds a request for a root field with these arguments. */
export function createRequest(
  root: RootField,
  rows: AttackContext['api']['rows'],
  values: ArgumentValues,
): GraphQLRequest {
  const variables = argumentsOf(root.field, values);
  return { document: documentOf(root, rows, Object.keys(variables)), variables };
}

/** Whether the field succeeded: the answer has a row, rows, or a payload with a row. */
export function works({ field }: Pick<RootField, 'field'>, { status, body }: Answer): boolean {
  if (status !== 200 || body?.errors || !body?.data) return false;
  const value = body.data[field.name];
  if (value === null || value === undefined) return false;
  if (connectionOf(field.type)) return value.nodes.length > 0;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value !== 'object') return true;
  if (Array.isArray(value.nodes)) return value.nodes.length > 0;
  // The payload of a mutation must contain the affected row.
  return Object.values(value).some((part) => part !== null && !(Array.isArray(part) && part.length === 0));
}

/** The values from which arguments are generated. */
export type ArgumentSources = Pick<AttackContext, 'api' | 'sampleRows' | 'usedValues'>;

/** Generates arguments that may work for the tenant that reads `holdings`, the most promising first. */
export function* candidateArguments(
  context: ArgumentSources,
  root: RootField,
  holdings: Holdings,
): Generator<ArgumentValues> {
  const slots = slotsOf(root.field, root.entity);
  const rows = (root.entity && holdings.rows.get(root.entity.name)) ?? [];
  if (slots.length === 0) return yield new Map();
  const inner = slots.filter((slot) => slot.inner);
  const ofRows = () => rows.slice(0, 4).map((row) => fromRow(slots, row));
  const isCreate = root.operation === 'mutation' && root.field.name.startsWith('create');
  const insertable = (root.entity && holdings.insertableRows?.get(root.entity.name)) ?? [];
  if (isCreate) yield* insertable.map((row) => fromRow(slots, row));
  else {
    yield* ofRows();
    // Sets one optional value at a time. The database may generate other values, and then accepts none from clients.
    const [row] = rows;
    for (const only of row ? inner : [])
      yield fromRow(
        slots.filter((slot) => !slot.inner || slot.required || slot === only),
        row as Row,
      );
  }
  if (root.entity && inner.length > 0) yield* newRows(context, root.entity, slots, holdings);
  yield* anyValues(slots, rows, holdings);
  if (isCreate) yield* ofRows();
}

interface Found {
  readonly values: ArgumentValues;
  readonly works: boolean;
  /** The answer to the arguments that work, or else to the most promising ones. */
  readonly answer: Answer | undefined;
  /** Whether the field works only after the tenant's own row was deleted. */
  readonly needsRoom: boolean;
}

/**
 * Finds arguments with which `root` works for `member`, and undoes all changes. If it finds none, it returns the most
 * promising arguments, and `works` is false.
 *
 * @param needsRoom whether to delete the tenant's own row first, because the table takes only one.
 */
export async function findValidArguments(
  context: AttackContext,
  root: RootField,
  actor: ApiActor,
  needsRoom = false,
): Promise<Found> {
  let attempts = 0;
  let best: { values: ArgumentValues; answer: Answer } | undefined;
  for (const values of candidateArguments(context, root, actor === context.a ? context.ofA : context.ofB)) {
    if (++attempts > maxAttempts) break;
    if (needsRoom) await context.watch.makeRoom(actor, root.entity?.name);
    const answer = await context.client.ask(actor, createRequest(root, context.api.rows, values));
    if (root.operation === 'mutation') await context.watch.restore();
    if (works(root, answer)) return { values, answer, works: true, needsRoom };
    if (!best || (best.answer.body?.errors && !answer.body?.errors)) best = { values, answer };
  }
  if (!needsRoom && root.field.name.startsWith('create')) return findValidArguments(context, root, actor, true);
  return { ...(best ?? { values: new Map(), answer: undefined }), works: false, needsRoom: false };
}

/** Finds a slot's value in a row. For a list of keys, it returns a list with the row's key. */
export function valueIn(row: Row, { name, type, list }: Slot): unknown {
  if (name in row) return row[name];
  const singular = name.replace(/s$/, '');
  // A list of keys is called `ids`, but the key of a row is called `rowId`.
  const one = list ? row[type === 'UUID' && singular === 'id' ? 'rowId' : singular] : undefined;
  if (one !== undefined) return [one];
  return type === 'ID' && row.id !== undefined ? (list ? [row.id] : row.id) : undefined;
}

/** Fills the slots with a row's values, and required slots without a value with a generated one. */
export function fromRow(slots: readonly Slot[], row: Row): ArgumentValues {
  const found = slots.map(
    (slot) =>
      [slot, valueIn(row, slot) ?? (slot.required ? createValue(slot.inputType, slot.name) : undefined)] as const,
  );
  return new Map(found.filter(([, value]) => value !== undefined && value !== null));
}

/** Generates new rows that reference the tenant's own rows. */
function* newRows(
  context: ArgumentSources,
  entity: GraphQLObjectType,
  slots: readonly Slot[],
  holdings: Holdings,
): Generator<ArgumentValues> {
  const samples = context.sampleRows.get(entity.name) ?? [];
  const own = holdings.rows.get(entity.name) ?? [];
  const templates = [...samples, ...own];
  for (let turn = 0; turn < maxNewRows; turn++) {
    const template = templates[turn % Math.max(1, templates.length)];
    const parents = parentValues(context.api, entity, holdings, turn);
    const value = (slot: Slot): unknown => {
      if (!slot.inner && slot.required) return own[0] && valueIn(own[0], slot);
      const ofParent = parents(slot.name);
      if (ofParent !== undefined) return ofParent;
      if (slot.type === 'UUID') return slot.required ? randomUUID() : undefined;
      if (!slot.required && turn % 3 === 2) return undefined;
      const given = template?.[slot.name] ?? undefined;
      if (given === undefined) return slot.required ? createValue(slot.inputType, slot.name) : undefined;
      return turn % 2 === 0
        ? unusedValue(
            given,
            slot.type,
            context.usedValues,
            samples.flatMap((row) => row[slot.name] ?? []),
          )
        : given;
    };
    yield new Map(slots.map((slot) => [slot, value(slot)] as const).filter(([, given]) => given !== undefined));
  }
}

/** Generates arguments of functions from the tenant's values. The schema does not say which values are valid. */
function* anyValues(slots: readonly Slot[], rowsOfType: readonly Row[], holdings: Holdings): Generator<ArgumentValues> {
  const pool = [...rowsOfType, ...[...holdings.rows.values()].flat()];
  for (let turn = 0; turn < 40; turn++) {
    const filled = slots.map((slot) => {
      const named = pool.flatMap((row) => valueIn(row, slot) ?? []);
      const candidates =
        named.length > 0
          ? named
          : pool.flatMap((row) => Object.values(row).filter((value) => isCompatible(value, slot)));
      const value =
        candidates[turn % Math.max(1, candidates.length)] ??
        (slot.required ? createValue(slot.inputType, slot.name) : undefined);
      return [slot, slot.list && value !== undefined && !Array.isArray(value) ? [value] : value] as const;
    });
    yield new Map(
      filled.filter(([slot, value]) => value !== undefined && (slot.required || isCompatible(value, slot))),
    );
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f-]{27}$/i;
const date = /^\d{4}-\d\d-\d\d/;

/** Whether the slot's type may accept the value. */
export function isCompatible(value: unknown, { type }: Pick<Slot, 'type'>): boolean {
  if (Array.isArray(value)) return value.every((item) => isCompatible(item, { type }));
  if (type === 'UUID') return typeof value === 'string' && uuid.test(value);
  if (type === 'String') return typeof value === 'string' && !uuid.test(value) && !date.test(value) && !decode(value);
  if (type === 'Int' || type === 'Float') return typeof value === 'number';
  return type === 'Boolean' && typeof value === 'boolean';
}

/** Generates a value of a type if nothing is known about valid values. */
function createValue(type: GraphQLInputType, name: string): unknown {
  const named = getNamedType(type);
  if (String(type).startsWith('[')) return [createValue(named, name)];
  if (isEnumType(named)) return named.getValues()[0]?.name;
  if (isInputObjectType(named)) {
    const needed = Object.values(named.getFields()).filter((field) => isNonNullType(field.type));
    return Object.fromEntries(needed.map((field) => [field.name, createValue(field.type, field.name)]));
  }
  const word = randomBytes(4).toString('hex');
  const simple: Record<string, unknown> = {
    Int: 1,
    Float: 1.5,
    Boolean: true,
    UUID: randomUUID(),
    BigInt: '1',
    BigFloat: '1.5',
    JSON: {},
    Date: '2030-01-02',
    Datetime: new Date().toISOString(),
    Time: '12:30:00',
    InternetAddress: '127.0.0.1',
  };
  return simple[named.name] ?? (name.toLowerCase().includes('email') ? `${word}@example.com` : `${name} ${word}`);
}
