import { astFromValue, type GraphQLInputType, isInputObjectType, print } from 'postgraphile/graphql';
import type { Operation } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { carryOut } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import type { Question } from './client.ts';
import { ownersOf } from './owners.ts';
import { namesRow, PairedRequests } from './pairedRequests.ts';
import { type RootField, select } from './schema.ts';
import { argumentsOf, type Filling, type Slot, slotsOf } from './slots.ts';
import { findValidArguments, questionOf } from './validArguments.ts';
import { valuesOfA } from './victimValues.ts';

/** What is known of a field once it was tried: what it answers its own user to. */
export interface Tried {
  readonly root: RootField;
  /** Arguments that work for A, and for B; where none were found, the likeliest. */
  readonly forA: Filling;
  readonly forB: Filling;
  readonly works: { readonly a: boolean; readonly b: boolean };
  /** What A was answered. */
  readonly answer: Answer | undefined;
  /** It makes a row where a tenant can have but one. */
  readonly room: boolean;
}

export function operationOf({ operation, field }: RootField): Operation {
  if (operation === 'query') return 'select';
  const verbs = { create: 'insert', update: 'update', delete: 'delete' } as const;
  const verb = Object.keys(verbs).find((name) => field.name.startsWith(name)) as keyof typeof verbs | undefined;
  return verb ? verbs[verb] : 'call';
}

/** Finds out how a field works for A and for B: a refusal proves nothing where nothing works. */
export async function tryField(world: AttackContext, root: RootField): Promise<Tried> {
  const a = await findValidArguments(world, root, world.a);
  const b = await findValidArguments(world, root, world.b);
  return {
    root,
    forA: a.filling,
    forB: b.filling,
    works: { a: a.works, b: b.works },
    answer: a.answer,
    room: a.room || b.room,
  };
}

/** Everything of A's, in every argument of the field, as B and as somebody who has nothing. */
export async function attackField(world: AttackContext, { root, forA, forB, room }: Tried): Promise<void> {
  const { b, empty, api } = world;
  const slots = slotsOf(root.field, root.entity);
  const base = { type: root.entity?.name, operation: operationOf(root), sent: [], room };
  const ask = (filling: Filling) => questionOf(root, api.rows, filling);
  await carryOut(world, { ...base, attack: 'as its owner asks, by another', who: b, question: ask(forB) });
  const twins = new PairedRequests(world, root.entity?.name);
  const twin = twins.of(forA);
  const pair = (question: (filling: Filling) => Question | undefined) => {
    const ofA = question(forA);
    const ofNobody = question(twin);
    if (!ofA || !ofNobody) return undefined;
    return { question: ofA, sent: twins.sent, twin: { question: ofNobody, sent: twins.returned } };
  };
  for (const who of [b, empty]) {
    // Of a text search the answer depends on what the asker has: only who has nothing must be answered alike.
    const alike = who === empty || root.operation === 'mutation' || exact(root, slots);
    const send = async (attack: string, sent: ReturnType<typeof pair>) => {
      if (!sent) return;
      const { twin: other, ...rest } = sent;
      await carryOut(world, { ...base, attack, who, ...rest, ...(alike && { twin: other }) });
    };
    await send('arguments of another', pair(ask));
    if (slots.length === 0) continue;
    await send(
      'arguments of another, as literals',
      pair((filling) => literally(root, api.rows, filling)),
    );
    if (who === b && alike) {
      await send(
        'own and another’s in one document',
        pair((filling) => together(root, api.rows, forB, filling)),
      );
    }
  }
  if (root.operation === 'mutation') await nameOwners(world, root, forB, room);
  for (const slot of slots) await replace(world, root, forB, slot, room);
}

/** Whether the arguments name rows, rather than describe them. */
function exact({ field }: RootField, slots: readonly Slot[]): boolean {
  return (
    slots.every(({ type }) => type === 'UUID' || type === 'ID') || !field.args.some(({ name }) => name === 'first')
  );
}

/** B's own request, with one value of A's in it. */
async function replace(world: AttackContext, root: RootField, forB: Filling, slot: Slot, room: boolean): Promise<void> {
  const { b, api } = world;
  for (const value of valuesOfA(world, root, slot)) {
    const twins = new PairedRequests(world, root.entity?.name);
    const own = forB.get(slot);
    const shapes = slot.list
      ? ([
          ['one value of another', (item: unknown) => [item]],
          ['own and another’s in one list', (item: unknown) => [...(Array.isArray(own) ? own : []), item]],
        ] as const)
      : ([['one value of another', (item: unknown) => item]] as const);
    const other = twins.value(value, slot);
    for (const [attack, shape] of shapes) {
      const asked = (item: unknown) => questionOf(root, api.rows, new Map(forB).set(slot, shape(item)));
      const twin = { question: asked(other), sent: twins.returned };
      const base = { type: root.entity?.name, operation: operationOf(root), attack, who: b, room };
      const names = namesRow(world, root.entity?.name, slot);
      const same = exact(root, [slot]) || root.operation === 'mutation';
      await carryOut(world, {
        ...base,
        question: asked(value),
        sent: twins.sent,
        ...(same && { twin }),
        describes: !names,
      });
    }
  }
}

/** Says in the input whose the row shall be: no field of the API does. */
async function nameOwners(world: AttackContext, root: RootField, filling: Filling, room: boolean): Promise<void> {
  const { a, b } = world;
  const variables = argumentsOf(root.field, filling);
  const { document } = questionOf(root, world.api.rows, filling);
  const containers = Object.keys(variables).filter((name) => {
    const type = root.field.args.find((argument) => argument.name === name)?.type;
    return isInputObjectType(type && 'ofType' in type ? type.ofType : type);
  });
  for (const name of containers) {
    for (const changed of ownersOf(variables[name] as object, a.id as string)) {
      const base = {
        type: root.entity?.name,
        operation: operationOf(root),
        attack: 'owner named in the input',
        ...{ who: b, room },
      };
      await carryOut(world, {
        ...base,
        question: { document, variables: { ...variables, [name]: changed } },
        sent: [],
      });
    }
  }
}

/** Without variables; undefined where a value cannot be written down. */
function literally(
  { operation, field }: RootField,
  rows: AttackContext['api']['rows'],
  filling: Filling,
): Question | undefined {
  try {
    const passed = Object.entries(argumentsOf(field, filling)).map(([name, value]) => {
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

/** The field twice in one document, under two names. */
function together(
  { operation, field }: RootField,
  rows: AttackContext['api']['rows'],
  own: Filling,
  other: Filling,
): Question {
  const sides = { own: argumentsOf(field, own), other: argumentsOf(field, other) };
  const declared: string[] = [];
  const variables: Record<string, unknown> = {};
  const asked = Object.entries(sides).map(([alias, values]) => {
    const passed = Object.entries(values).map(([name, value]) => {
      const type = field.args.find((argument) => argument.name === name)?.type;
      declared.push(`$${alias}_${name}: ${type}`);
      variables[`${alias}_${name}`] = value;
      return `${name}: $${alias}_${name}`;
    });
    return `${alias}: ${field.name}(${passed.join(', ')}) ${select(field.type, rows)}`;
  });
  return { document: `${operation} (${declared.join(', ')}) { ${asked.join(' ')} }`, variables };
}
