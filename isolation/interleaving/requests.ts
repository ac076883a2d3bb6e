import type { GraphQLRequest } from '../api/client.ts';
import { operationOf } from '../api/fields.ts';
import { entryFields, type Holdings, type Row } from '../api/rows.ts';
import { connectionOf, type RootField, relations, select } from '../api/schema.ts';
import { type Slot, slotsOf } from '../api/slots.ts';
import { type ArgumentSources, candidateArguments, createRequest, fromRow, valueIn } from '../api/validArguments.ts';
import type { Model } from './model.ts';
import type { Step } from './operations.ts';
import type { TestBed } from './testBed.ts';

/** A request, and what the answer says of the tenant's rows. */
export interface Request {
  readonly type: string;
  readonly kind: 'create' | 'update' | 'delete' | 'all' | 'some' | 'nothing' | 'related';
  readonly question: GraphQLRequest;
  /** The row that is asked for or changed, where there is one. */
  readonly of?: Row;
  /** The field whose data are looked at. */
  readonly field: string;
}

/** What `step` asks for as a tenant who has `model`, or undefined where there is nothing of the kind. */
export function requestOf(
  { known, types }: Pick<TestBed, 'known' | 'types'>,
  step: Step,
  model: Model,
  others: readonly Model[],
): Request | undefined {
  const kind = step.kind;
  // The types that the kind is for, in their order, each as often as another.
  for (let skip = 0; skip < types.length; skip++) {
    const type = types[(step.type + skip) % types.length] as string;
    const made = make(known, { ...step, kind }, type, model, others);
    if (made) return made;
  }
  return undefined;
}

function make(
  known: ArgumentSources,
  { kind, choice }: Step,
  type: string,
  model: Model,
  others: readonly Model[],
): Request | undefined {
  const { api } = known;
  const mutations = (operation: string, many: boolean) =>
    api.fields.filter((root) => {
      const lists = slotsOf(root.field, root.entity).some(({ path, list }) => list || path.includes(0));
      return (
        root.operation === 'mutation' && operationOf(root) === operation && root.entity?.name === type && lists === many
      );
    });
  const own = model.rows(type);
  const row = own[choice % Math.max(1, own.length)];
  const pick = (roots: readonly RootField[]) => roots[choice % Math.max(1, roots.length)];
  const ask = (root: RootField | undefined, of: Row | undefined, what: Request['kind']): Request | undefined => {
    const slots = root && slotsOf(root.field, root.entity);
    if (!slots || !of || !isNamedBy(slots, of)) return undefined;
    const question = createRequest(root, api.rows, fromRow(slots, of));
    return { type, kind: what, of, field: root.field.name, question };
  };
  if (kind === 'create' || (kind === 'batch' && choice % 3 === 0)) {
    const root = pick(mutations('insert', kind === 'batch'));
    const holdings: Holdings = {
      rows: new Map([...api.rows.keys()].map((name) => [name, model.rows(name)])),
      cursors: new Map(),
      text: '',
    };
    const filling = root && take(candidateArguments(known, root, holdings), choice % 12);
    return (
      root &&
      filling && { type, kind: 'create', field: root.field.name, question: createRequest(root, api.rows, filling) }
    );
  }
  if (kind === 'update' || (kind === 'batch' && choice % 3 === 1)) {
    // The values of another of the tenant's rows, under this one's key.
    const root = pick(mutations('update', kind === 'batch'));
    const donor = [...(known.sampleRows.get(type) ?? []), ...own][choice % 5];
    const slots = root && slotsOf(root.field, root.entity);
    if (!slots || !row || !isNamedBy(slots, row)) return undefined;
    const given = donor
      ? fromRow(
          slots.filter(({ inner, list, type: scalar }) => inner && !list && scalar !== 'UUID'),
          donor,
        )
      : new Map();
    const filling = new Map([...fromRow(slots, row), ...given]);
    return { type, kind: 'update', of: row, field: root.field.name, question: createRequest(root, api.rows, filling) };
  }
  if (kind === 'delete' || kind === 'batch') return ask(pick(mutations('delete', kind === 'batch')), row, 'delete');
  const reads = api.fields.filter(({ operation, entity }) => operation === 'query' && entity?.name === type);
  const byKey = reads.filter(({ field }) => !connectionOf(field.type) && field.args.length > 0);
  if (kind === 'read') return ask(pick(byKey), row, 'some');
  if (kind === 'another’s row') {
    const theirs = others.flatMap((other) => other.rows(type));
    const roots = [...byKey, ...mutations('update', false), ...mutations('delete', false)];
    return ask(pick(roots), theirs[choice % Math.max(1, theirs.length)], 'nothing');
  }
  if (kind === 'search') {
    const searches = reads.filter(({ field, entity }) => connectionOf(field.type) && slotsOf(field, entity).length > 0);
    const texts = Object.values(row ?? {}).filter((value) => typeof value === 'string');
    const root = pick(searches);
    const slots = root && slotsOf(root.field, root.entity).filter(({ type: scalar }) => scalar === 'String');
    const filling = slots && new Map(slots.map((slot) => [slot, texts[choice % Math.max(1, texts.length)] ?? 'a']));
    return (
      root &&
      filling && { type, kind: 'some', field: root.field.name, question: createRequest(root, api.rows, filling) }
    );
  }
  const entrance = entryFields(api).find((one) => one.type.name === type && one.many);
  if (!entrance) return undefined;
  const { field } = entrance;
  if (kind === 'nested') {
    const path = pick(relations(entrance.type, api.rows) as never) as ReturnType<typeof relations>[number] | undefined;
    const inner = path && `${path.field.name} ${select(path.field.type, api.rows)}`;
    const document = `{ ${field.name}(first: 20) ${select(field.type, api.rows, inner)} }`;
    return { type: path?.to.name ?? type, kind: 'related', field: field.name, question: { document } };
  }
  const page =
    kind === 'page' && field.args.some(({ name }) => name === 'first')
      ? `(first: ${1 + (choice % 5)})`
      : '(first: 1000)';
  return {
    ...{ type, kind: page === '(first: 1000)' ? 'all' : 'some', field: field.name },
    question: { document: `{ ${field.name}${page} ${select(field.type, api.rows)} }` },
  };
}

/** Whether the row has a value for each place that must be filled: a key may be null, or not shown. */
function isNamedBy(slots: readonly Slot[], row: Row): boolean {
  return slots.every((slot) => !slot.required || (valueIn(row, slot) ?? undefined) !== undefined);
}

function take<Item>(items: Iterable<Item>, index: number): Item | undefined {
  let last: Item | undefined;
  for (const item of items) {
    last = item;
    if (index-- <= 0) break;
  }
  return last;
}
