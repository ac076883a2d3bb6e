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
import type { Member, Question } from './client.ts';
import { parentValues } from './parents.ts';
import type { Holdings, Row } from './rows.ts';
import { connectionOf, type RootField, select } from './schema.ts';
import { argumentsOf, type Filling, type Slot, slotsOf } from './slots.ts';
import { decode, nobodys } from './values.ts';

/** Ways to find arguments that a field accepts from a member, until one of them works. */
const patience = 60;

/** New rows that are tried: other parents, other values, with and without what may be left out. */
const turns = 24;

/** The document that asks for `field` with variables; their names are the arguments'. */
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

export function questionOf(root: RootField, rows: AttackContext['api']['rows'], filling: Filling): Question {
  const variables = argumentsOf(root.field, filling);
  return { document: documentOf(root, rows, Object.keys(variables)), variables };
}

/** Whether the field did what it is for: a row, rows, a payload that has them. */
export function works({ field }: Pick<RootField, 'field'>, { status, body }: Answer): boolean {
  if (status !== 200 || body?.errors || !body?.data) return false;
  const value = body.data[field.name];
  if (value === null || value === undefined) return false;
  if (connectionOf(field.type)) return value.nodes.length > 0;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value !== 'object') return true;
  if (Array.isArray(value.nodes)) return value.nodes.length > 0;
  // A payload: the row that it is about must be in it.
  return Object.values(value).some((part) => part !== null && !(Array.isArray(part) && part.length === 0));
}

/** What arguments are made of. */
export type Known = Pick<AttackContext, 'api' | 'sampleRows' | 'taken'>;

/** Arguments that may work for who has `holdings`, the likeliest first. */
export function* fillings(world: Known, root: RootField, holdings: Holdings): Generator<Filling> {
  const slots = slotsOf(root.field, root.entity);
  const rows = (root.entity && holdings.rows.get(root.entity.name)) ?? [];
  if (slots.length === 0) return yield new Map();
  const inner = slots.filter((slot) => slot.inner);
  const ofRows = () => rows.slice(0, 4).map((row) => fromRow(slots, row));
  const makes = root.operation === 'mutation' && root.field.name.startsWith('create');
  const spare = (root.entity && holdings.spare?.get(root.entity.name)) ?? [];
  if (makes) yield* spare.map((row) => fromRow(slots, row));
  else {
    yield* ofRows();
    // One value at a time: the database may make another itself, and take it from nobody.
    const [row] = rows;
    for (const only of row ? inner : [])
      yield fromRow(
        slots.filter((slot) => !slot.inner || slot.required || slot === only),
        row as Row,
      );
  }
  if (root.entity && inner.length > 0) yield* newRows(world, root.entity, slots, holdings);
  yield* anyValues(slots, rows, holdings);
  if (makes) yield* ofRows();
}

interface Found {
  readonly filling: Filling;
  readonly works: boolean;
  /** What the likeliest arguments were answered with, or those that work. */
  readonly answer: Answer | undefined;
  /** The member's own row has to make room for it. */
  readonly room: boolean;
}

/**
 * Arguments with which `field` works for `member`; what it changed is undone. Where none were found, the likeliest, and
 * `works` is false.
 */
export async function findValidArguments(
  world: AttackContext,
  root: RootField,
  member: Member,
  room = false,
): Promise<Found> {
  let tried = 0;
  let likeliest: { filling: Filling; answer: Answer } | undefined;
  for (const filling of fillings(world, root, member === world.a ? world.ofA : world.ofB)) {
    if (++tried > patience) break;
    if (room) await world.watch.makeRoom(member, root.entity?.name);
    const answer = await world.client.ask(member, questionOf(root, world.api.rows, filling));
    if (root.operation === 'mutation') await world.watch.restore();
    if (works(root, answer)) return { filling, answer, works: true, room };
    if (!likeliest || (likeliest.answer.body?.errors && !answer.body?.errors)) likeliest = { filling, answer };
  }
  if (!room && root.field.name.startsWith('create')) return findValidArguments(world, root, member, true);
  return { ...(likeliest ?? { filling: new Map(), answer: undefined }), works: false, room: false };
}

/** A value of the row by the slot's name; of a list of keys, one of them. */
export function valueIn(row: Row, { name, type, list }: Slot): unknown {
  if (name in row) return row[name];
  const singular = name.replace(/s$/, '');
  // `ids` of keys: the API calls the key itself `rowId`.
  const one = list ? row[type === 'UUID' && singular === 'id' ? 'rowId' : singular] : undefined;
  if (one !== undefined) return [one];
  return type === 'ID' && row.id !== undefined ? (list ? [row.id] : row.id) : undefined;
}

export function fromRow(slots: readonly Slot[], row: Row): Filling {
  const found = slots.map(
    (slot) => [slot, valueIn(row, slot) ?? (slot.required ? invent(slot.inputType, slot.name) : undefined)] as const,
  );
  return new Map(found.filter(([, value]) => value !== undefined && value !== null));
}

/** New rows of valid values, attached to the member's own rows. */
function* newRows(
  world: Known,
  entity: GraphQLObjectType,
  slots: readonly Slot[],
  holdings: Holdings,
): Generator<Filling> {
  const spare = world.sampleRows.get(entity.name) ?? [];
  const own = holdings.rows.get(entity.name) ?? [];
  const donors = [...spare, ...own];
  for (let turn = 0; turn < turns; turn++) {
    const donor = donors[turn % Math.max(1, donors.length)];
    const parents = parentValues(world.api, entity, holdings, turn);
    const value = (slot: Slot): unknown => {
      if (!slot.inner && slot.required) return own[0] && valueIn(own[0], slot);
      const ofParent = parents(slot.name);
      if (ofParent !== undefined) return ofParent;
      if (slot.type === 'UUID') return slot.required ? randomUUID() : undefined;
      if (!slot.required && turn % 3 === 2) return undefined;
      const given = donor?.[slot.name] ?? undefined;
      if (given === undefined) return slot.required ? invent(slot.inputType, slot.name) : undefined;
      return turn % 2 === 0
        ? nobodys(
            given,
            slot.type,
            world.taken,
            spare.flatMap((row) => row[slot.name] ?? []),
          )
        : given;
    };
    yield new Map(slots.map((slot) => [slot, value(slot)] as const).filter(([, given]) => given !== undefined));
  }
}

/** Arguments of functions: nobody but the member's values says what they may be. */
function* anyValues(slots: readonly Slot[], about: readonly Row[], holdings: Holdings): Generator<Filling> {
  const pool = [...about, ...[...holdings.rows.values()].flat()];
  for (let turn = 0; turn < 40; turn++) {
    const filled = slots.map((slot) => {
      const named = pool.flatMap((row) => valueIn(row, slot) ?? []);
      const alike =
        named.length > 0 ? named : pool.flatMap((row) => Object.values(row).filter((value) => fits(value, slot)));
      const value =
        alike[turn % Math.max(1, alike.length)] ?? (slot.required ? invent(slot.inputType, slot.name) : undefined);
      return [slot, slot.list && value !== undefined && !Array.isArray(value) ? [value] : value] as const;
    });
    yield new Map(filled.filter(([slot, value]) => value !== undefined && (slot.required || fits(value, slot))));
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f-]{27}$/i;
const date = /^\d{4}-\d\d-\d\d/;

/** Whether a slot takes values like it, as far as is known of its type. */
export function fits(value: unknown, { type }: Pick<Slot, 'type'>): boolean {
  if (Array.isArray(value)) return value.every((item) => fits(item, { type }));
  if (type === 'UUID') return typeof value === 'string' && uuid.test(value);
  if (type === 'String') return typeof value === 'string' && !uuid.test(value) && !date.test(value) && !decode(value);
  if (type === 'Int' || type === 'Float') return typeof value === 'number';
  return type === 'Boolean' && typeof value === 'boolean';
}

/** Some value of a type, where nothing is known of what it may be. */
function invent(type: GraphQLInputType, name: string): unknown {
  const named = getNamedType(type);
  if (String(type).startsWith('[')) return [invent(named, name)];
  if (isEnumType(named)) return named.getValues()[0]?.name;
  if (isInputObjectType(named)) {
    const needed = Object.values(named.getFields()).filter((field) => isNonNullType(field.type));
    return Object.fromEntries(needed.map((field) => [field.name, invent(field.type, field.name)]));
  }
  const word = randomBytes(4).toString('hex');
  const simple: Record<string, unknown> = {
    ...{ Int: 1, Float: 1.5, Boolean: true, UUID: randomUUID(), BigInt: '1', BigFloat: '1.5', JSON: {} },
    ...{ Date: '2030-01-02', Datetime: new Date().toISOString(), Time: '12:30:00', InternetAddress: '127.0.0.1' },
  };
  return simple[named.name] ?? (name.toLowerCase().includes('email') ? `${word}@example.com` : `${name} ${word}`);
}
