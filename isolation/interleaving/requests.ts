import type { GraphQLRequest } from '../api/client.ts';
import { operationOf } from '../api/fields.ts';
import { entryFields, type Holdings, type Row } from '../api/rows.ts';
import { connectionOf, type RootField, relations, select } from '../api/schema.ts';
import { type Slot, slotsOf } from '../api/slots.ts';
import { type ArgumentSources, candidateArguments, createRequest, fromRow, valueIn } from '../api/validArguments.ts';
import type { Model } from './model.ts';
import type { Step } from './operations.ts';
import type { TestBed } from './prepareTestBed.ts';

/** A request and the rows that its answer must contain. */
export interface Request {
  readonly type: string;
  /**
   * The relation of the answer's rows to the model:
   *
   * - `create`, `update`, `delete`: the rows that the mutation wrote
   * - `all`, `some`: all or some of the tenant's rows of the type
   * - `nothing`: no rows, because the requested row belongs to another tenant
   * - `related`: rows with their related rows, in which only values of other tenants are searched for
   */
  readonly expected: 'create' | 'update' | 'delete' | 'all' | 'some' | 'nothing' | 'related';
  readonly question: GraphQLRequest;
  /** The row that the request reads or changes by its key. */
  readonly row?: Row;
  /** The field of the answer that contains the rows. */
  readonly field: string;
}

/**
 * Builds the request of a step. If the chosen type does not support the operation, it tries the following types.
 *
 * @param model the rows of the tenant.
 * @param others the models of the other tenants.
 * @returns undefined if no type supports the operation.
 */
export function requestOf(
  { context, types }: Pick<TestBed, 'context' | 'types'>,
  step: Step,
  model: Model,
  others: readonly Model[],
): Request | undefined {
  for (let skip = 0; skip < types.length; skip++) {
    const type = types[(step.type + skip) % types.length] as string;
    const request = requestFor(context, step, type, model, others);
    if (request) return request;
  }
  return undefined;
}

function requestFor(
  context: ArgumentSources,
  { operation, choice }: Step,
  type: string,
  model: Model,
  others: readonly Model[],
): Request | undefined {
  const { api } = context;
  const mutations = (command: string, isBulk: boolean) =>
    api.fields.filter((root) => {
      const hasList = slotsOf(root.field, root.entity).some(({ path, list }) => list || path.includes(0));
      return (
        root.operation === 'mutation' &&
        operationOf(root) === command &&
        root.entity?.name === type &&
        hasList === isBulk
      );
    });
  const own = model.rows(type);
  const ownRow = own[choice % Math.max(1, own.length)];
  const pick = (roots: readonly RootField[]) => roots[choice % Math.max(1, roots.length)];
  const byKeyOf = (
    row: Row | undefined,
    root: RootField | undefined,
    expected: Request['expected'],
  ): Request | undefined => {
    const slots = root && slotsOf(root.field, root.entity);
    if (!slots || !row || !fillsRequired(slots, row)) return undefined;
    return {
      type,
      expected,
      row,
      field: root.field.name,
      question: createRequest(root, api.rows, fromRow(slots, row)),
    };
  };
  if (operation === 'create' || (operation === 'batch' && choice % 3 === 0)) {
    const root = pick(mutations('insert', operation === 'batch'));
    const holdings: Holdings = {
      rows: new Map([...api.rows.keys()].map((name) => [name, model.rows(name)])),
      cursors: new Map(),
      text: '',
    };
    const filling = root && itemAt(candidateArguments(context, root, holdings), choice % 12);
    if (!root || !filling) return undefined;
    return { type, expected: 'create', field: root.field.name, question: createRequest(root, api.rows, filling) };
  }
  if (operation === 'update' || (operation === 'batch' && choice % 3 === 1)) {
    // Update the row with the values of a sample row or of another row of the tenant.
    const root = pick(mutations('update', operation === 'batch'));
    const source = [...(context.sampleRows.get(type) ?? []), ...own][choice % 5];
    const slots = root && slotsOf(root.field, root.entity);
    if (!slots || !ownRow || !fillsRequired(slots, ownRow)) return undefined;
    const changes = source
      ? fromRow(
          slots.filter(({ inner, list, type: scalar }) => inner && !list && scalar !== 'UUID'),
          source,
        )
      : new Map();
    const question = createRequest(root, api.rows, new Map([...fromRow(slots, ownRow), ...changes]));
    return { type, expected: 'update', row: ownRow, field: root.field.name, question };
  }
  if (operation === 'delete' || operation === 'batch')
    return byKeyOf(ownRow, pick(mutations('delete', operation === 'batch')), 'delete');
  const reads = api.fields.filter((root) => root.operation === 'query' && root.entity?.name === type);
  const byKey = reads.filter(({ field }) => !connectionOf(field.type) && field.args.length > 0);
  if (operation === 'read') return byKeyOf(ownRow, pick(byKey), 'some');
  if (operation === 'another tenant’s row') {
    const foreign = others.flatMap((other) => other.rows(type));
    const roots = [...byKey, ...mutations('update', false), ...mutations('delete', false)];
    return byKeyOf(foreign[choice % Math.max(1, foreign.length)], pick(roots), 'nothing');
  }
  if (operation === 'search') {
    const searches = reads.filter(({ field, entity }) => connectionOf(field.type) && slotsOf(field, entity).length > 0);
    const texts = Object.values(ownRow ?? {}).filter((value) => typeof value === 'string');
    const root = pick(searches);
    const slots = root && slotsOf(root.field, root.entity).filter(({ type: scalar }) => scalar === 'String');
    const filling = slots && new Map(slots.map((slot) => [slot, texts[choice % Math.max(1, texts.length)] ?? 'a']));
    if (!root || !filling) return undefined;
    return { type, expected: 'some', field: root.field.name, question: createRequest(root, api.rows, filling) };
  }
  const entrance = entryFields(api).find((one) => one.type.name === type && one.many);
  if (!entrance) return undefined;
  const { field } = entrance;
  if (operation === 'nested') {
    const path = pick(relations(entrance.type, api.rows) as never) as ReturnType<typeof relations>[number] | undefined;
    const inner = path && `${path.field.name} ${select(path.field.type, api.rows)}`;
    const document = `{ ${field.name}(first: 20) ${select(field.type, api.rows, inner)} }`;
    return { type: path?.to.name ?? type, expected: 'related', field: field.name, question: { document } };
  }
  const isPage = operation === 'page' && field.args.some(({ name }) => name === 'first');
  const first = isPage ? 1 + (choice % 5) : 1000;
  return {
    type,
    expected: isPage ? 'some' : 'all',
    field: field.name,
    question: { document: `{ ${field.name}(first: ${first}) ${select(field.type, api.rows)} }` },
  };
}

/** Whether the row has a value for each required slot. A key may be null, or the API may not expose it. */
function fillsRequired(slots: readonly Slot[], row: Row): boolean {
  return slots.every((slot) => !slot.required || (valueIn(row, slot) ?? undefined) !== undefined);
}

/** The item at `index`, or the last one if there are fewer. */
function itemAt<Item>(items: Iterable<Item>, index: number): Item | undefined {
  let last: Item | undefined;
  for (const item of items) {
    last = item;
    if (index-- <= 0) break;
  }
  return last;
}
