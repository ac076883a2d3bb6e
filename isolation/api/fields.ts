import { astFromValue, type GraphQLInputType, isInputObjectType, print } from 'postgraphile/graphql';
import type { Operation } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { runAttack } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import type { GraphQLRequest } from './client.ts';
import { namesRow, PairedRequests } from './pairedRequests.ts';
import { type RootField, select } from './schema.ts';
import { type ArgumentValues, argumentsOf, type Slot, slotsOf } from './slots.ts';
import { createRequest, findValidArguments } from './validArguments.ts';
import { valuesOfA } from './victimValues.ts';

/** A root field with arguments that work for A and for B on their own rows. */
export interface TriedField {
  readonly root: RootField;
  /** Arguments that work for A. If none were found, the most promising ones. */
  readonly forA: ArgumentValues;
  /** Arguments that work for B. If none were found, the most promising ones. */
  readonly forB: ArgumentValues;
  readonly works: { readonly a: boolean; readonly b: boolean };
  /** The answer to A. */
  readonly answer: Answer | undefined;
  /** Whether the field inserts into a table in which a tenant can have only one row. */
  readonly needsRoom: boolean;
}

/** The operation that a field performs, derived from its name. */
export function operationOf({ operation, field }: RootField): Operation {
  if (operation === 'query') return 'select';
  const verbs = { create: 'insert', update: 'update', delete: 'delete' } as const;
  const verb = Object.keys(verbs).find((name) => field.name.startsWith(name)) as keyof typeof verbs | undefined;
  return verb ? verbs[verb] : 'call';
}

/** Finds valid arguments of a field for A and for B. A refusal proves nothing if the field works for no one. */
export async function tryField(context: AttackContext, root: RootField): Promise<TriedField> {
  const a = await findValidArguments(context, root, context.a);
  const b = await findValidArguments(context, root, context.b);
  return {
    root,
    forA: a.values,
    forB: b.values,
    works: { a: a.works, b: b.works },
    answer: a.answer,
    needsRoom: a.needsRoom || b.needsRoom,
  };
}

/** Sends A's values in every argument of the field, as B and as the tenant without rows. */
export async function attackField(context: AttackContext, { root, forA, forB, needsRoom }: TriedField): Promise<void> {
  const { b, empty, api } = context;
  const slots = slotsOf(root.field, root.entity);
  const base = { type: root.entity?.name, operation: operationOf(root), sent: [], needsRoom };
  const fieldRequest = (values: ArgumentValues) => createRequest(root, api.rows, values);
  await runAttack(context, { ...base, attack: 'own request', actor: b, request: fieldRequest(forB) });
  const pairs = new PairedRequests(context, root.entity?.name);
  const unused = pairs.of(forA);
  const pair = (build: (values: ArgumentValues) => GraphQLRequest | undefined) => {
    const request = build(forA);
    const other = build(unused);
    if (!request || !other) return undefined;
    return { request, sent: pairs.sent, paired: { request: other, sent: pairs.replacements } };
  };
  for (const actor of [b, empty]) {
    // The answer to a text search depends on the actor's own rows. Only an actor without rows must get equal answers.
    const mustMatch = actor === empty || root.operation === 'mutation' || namesRows(root, slots);
    const send = async (attack: string, requests: ReturnType<typeof pair>) => {
      if (!requests) return;
      const { paired, ...rest } = requests;
      await runAttack(context, { ...base, attack, actor, ...rest, ...(mustMatch && { paired }) });
    };
    await send('arguments of another tenant', pair(fieldRequest));
    if (slots.length === 0) continue;
    await send(
      'arguments of another tenant, as literals',
      pair((values) => withLiterals(root, api.rows, values)),
    );
    if (actor === b && mustMatch) {
      await send(
        'own and another tenant’s arguments in one document',
        pair((values) => inOneDocument(root, api.rows, forB, values)),
      );
    }
  }
  if (root.operation === 'mutation') await attackOwnerInputs(context, root, forB, needsRoom);
  for (const slot of slots) await attackSlot(context, root, forB, slot, needsRoom);
}

/** Whether the arguments identify rows, as opposed to describing them. */
function namesRows({ field }: RootField, slots: readonly Slot[]): boolean {
  return (
    slots.every(({ type }) => type === 'UUID' || type === 'ID') || !field.args.some(({ name }) => name === 'first')
  );
}

/** Sends B's own request with one of A's values in `slot`. */
async function attackSlot(
  context: AttackContext,
  root: RootField,
  forB: ArgumentValues,
  slot: Slot,
  needsRoom: boolean,
): Promise<void> {
  const { b, api } = context;
  for (const value of valuesOfA(context, root, slot)) {
    const pairs = new PairedRequests(context, root.entity?.name);
    const own = forB.get(slot);
    const shapes = slot.list
      ? ([
          ['one value of another tenant', (item: unknown) => [item]],
          ['own and another tenant’s value in one list', (item: unknown) => [...(Array.isArray(own) ? own : []), item]],
        ] as const)
      : ([['one value of another tenant', (item: unknown) => item]] as const);
    const unused = pairs.value(value, slot);
    for (const [attack, shape] of shapes) {
      const withItem = (item: unknown) => createRequest(root, api.rows, new Map(forB).set(slot, shape(item)));
      const mustMatch = namesRows(root, [slot]) || root.operation === 'mutation';
      await runAttack(context, {
        type: root.entity?.name,
        operation: operationOf(root),
        attack,
        actor: b,
        needsRoom,
        request: withItem(value),
        sent: pairs.sent,
        ...(mustMatch && { paired: { request: withItem(unused), sent: pairs.replacements } }),
        describes: !namesRow(context, root.entity?.name, slot),
      });
    }
  }
}

/** Adds A as the owner to every input object. The API has no field that sets an owner. */
async function attackOwnerInputs(
  context: AttackContext,
  root: RootField,
  values: ArgumentValues,
  needsRoom: boolean,
): Promise<void> {
  const { a, b } = context;
  const variables = argumentsOf(root.field, values);
  const { document } = createRequest(root, context.api.rows, values);
  const inputs = Object.keys(variables).filter((name) => {
    const type = root.field.args.find((argument) => argument.name === name)?.type;
    return isInputObjectType(type && 'ofType' in type ? type.ofType : type);
  });
  for (const name of inputs) {
    for (const changed of withOwner(variables[name] as object, a.id as string)) {
      await runAttack(context, {
        type: root.entity?.name,
        operation: operationOf(root),
        attack: 'owner named in the input',
        actor: b,
        needsRoom,
        request: { document, variables: { ...variables, [name]: changed } },
        sent: [],
      });
    }
  }
}

/** Input fields that could set the owner of a row. */
const ownerFields = (id: string): Record<string, unknown> => ({
  userId: id,
  user_id: id,
  ownerId: id,
  nodeId: id,
  userByUserId: { connectById: { id } },
});

/** Yields copies of `input`, each with one owner field added to it or to one of its nested objects. */
function* withOwner(input: object, id: string): Generator<object> {
  for (const [name, value] of Object.entries(ownerFields(id))) if (!(name in input)) yield { ...input, [name]: value };
  for (const [key, inner] of Object.entries(input)) {
    const first = Array.isArray(inner) ? inner[0] : inner;
    if (typeof first !== 'object' || first === null) continue;
    for (const changed of withOwner(first, id)) {
      yield { ...input, [key]: Array.isArray(inner) ? [changed, ...inner.slice(1)] : changed };
    }
  }
}

/** Builds the request with literals instead of variables; `undefined` if a value has no literal form. */
function withLiterals(
  { operation, field }: RootField,
  rows: AttackContext['api']['rows'],
  values: ArgumentValues,
): GraphQLRequest | undefined {
  try {
    const passed = Object.entries(argumentsOf(field, values)).map(([name, value]) => {
      const type = field.args.find((argument) => argument.name === name)?.type as GraphQLInputType;
      const node = astFromValue(value, type);
      if (!node) throw new TypeError(name);
      return `${name}: ${print(node)}`;
    });
    const list = passed.length > 0 ? `(${passed.join(', ')})` : '';
    return { document: `${operation} { ${field.name}${list} ${select(field.type, rows)} }` };
  } catch {
    return undefined;
  }
}

/** Selects the field twice in one document, under two aliases. */
function inOneDocument(
  { operation, field }: RootField,
  rows: AttackContext['api']['rows'],
  own: ArgumentValues,
  other: ArgumentValues,
): GraphQLRequest {
  const sides = { own: argumentsOf(field, own), other: argumentsOf(field, other) };
  const declared: string[] = [];
  const variables: Record<string, unknown> = {};
  const selections = Object.entries(sides).map(([alias, values]) => {
    const passed = Object.entries(values).map(([name, value]) => {
      const type = field.args.find((argument) => argument.name === name)?.type;
      declared.push(`$${alias}_${name}: ${type}`);
      variables[`${alias}_${name}`] = value;
      return `${name}: $${alias}_${name}`;
    });
    return `${alias}: ${field.name}(${passed.join(', ')}) ${select(field.type, rows)}`;
  });
  return { document: `${operation} (${declared.join(', ')}) { ${selections.join(' ')} }`, variables };
}
