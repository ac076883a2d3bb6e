import { PgClassExpressionStep, PgCursorStep, PgSelectRowsStep, PgSelectSingleStep } from 'postgraphile/@dataplan/pg';
import {
  $$inhibit,
  AccessStep,
  ConnectionStep,
  ConstantStep,
  EdgeStep,
  FirstStep,
  LambdaStep,
  LastStep,
  ListStep,
  ObjectStep,
} from 'postgraphile/grafast';
import { nullFlag, type PlannedStep } from './plan.ts';

/** What steps gave, by the places that they were given. It is one request's, and nothing else keeps it. */
export type Values = unknown[];

/** Thrown where only Grafast knows what to do: of an error, of a promise, of null where it must not be. */
export const left = new Error('left to Grafast');

/** Steps that make a value of values, and look at nothing else. */
const single = [
  ...[AccessStep, ConstantStep, EdgeStep, FirstStep, LambdaStep, LastStep, ListStep, ObjectStep],
  ...[PgClassExpressionStep, PgCursorStep, PgSelectSingleStep],
];

/** The same, of which Grafast asks for all objects of a layer at once. ConnectionItemsStep is not exported. */
const batched = [ConnectionStep, PgSelectRowsStep];
const batchedName = 'ConnectionItemsStep';

const [flagged] = Object.getOwnPropertySymbols($$inhibit);

/** @throws left where a value stands for something else: an error, or what is still to come. */
export function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const isPlain = flagged !== undefined && !Object.hasOwn(value, flagged);
  if (!isPlain || typeof (value as { then?: unknown }).then === 'function') throw left;
  return value;
}

const extra = Object.freeze({ stopTime: null, meta: undefined, eventEmitter: undefined, stream: null });

/**
 * How a step's value follows from those of its dependencies, for one object.
 *
 * @param places of its dependencies.
 * @throws left where more than they decides.
 */
export function resultOf(step: PlannedStep, places: readonly number[]): (values: Values) => unknown {
  const isPure = step.hasSideEffects === false && step.implicitSideEffectStep === null && step.cloneStreams === false;
  const isPlain = step.metaKey === undefined && step.polymorphicPaths === null;
  const takesNull = step.dependencyForbiddenFlags.every((flags) => (flags & nullFlag) === 0);
  if (!isPure || !isPlain || !takesNull) throw left;
  const isOf = (classes: readonly unknown[]) => classes.includes(step.constructor);
  const isBatched = isOf(batched) || step.constructor.name === batchedName;
  if (!isBatched && !(isOf(single) && step.isSyncAndSafe)) throw left;
  if (isBatched) {
    return (values) => {
      const dependencies = places.map((place) => new Alone(values[place]));
      return plain(step.execute({ count: 1, indexMap, values: dependencies, extra, stream: null })[0]);
    };
  }
  // Most steps have one dependency or two, and an array for them would be made for each item.
  const [first = -1, second = -1] = places;
  if (places.length === 1) return (values) => plain(step.unbatchedExecute(extra, values[first]));
  if (places.length === 2) return (values) => plain(step.unbatchedExecute(extra, values[first], values[second]));
  return (values) => plain(step.unbatchedExecute(extra, ...places.map((place) => values[place])));
}

const indexMap = (each: (index: number) => unknown) => [each(0)];

/** A dependency's value, as Grafast hands it to a step that asks for those of all objects. */
class Alone {
  readonly isBatch = false;
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  at() {
    return this.#value;
  }

  unaryValue() {
    return this.#value;
  }
}
