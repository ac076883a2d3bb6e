import { compile, type List } from './compile.ts';
import type { Bucket, LayerPlan, OperationPlan, OutputPlan } from './plan.ts';
import { left } from './steps.ts';

const seen = new WeakSet<OperationPlan>();

/**
 * Has the lists of a query's answers written as JSON by a function each, made from the plan once, wherever only the
 * values of rows decide. Grafast takes all steps for all items in layers and buckets first, and goes through these again
 * to write: a third of Node's time for nested lists. Where a value is one that only Grafast knows what to do with, an
 * error for example, it does all of the list, as without this.
 *
 * @returns how many lists are now written so.
 */
export function writeLists(plan: OperationPlan): number {
  if (seen.has(plan)) return 0;
  seen.add(plan);
  try {
    if (plan.operation.operation !== 'query') return 0;
    const lists = [...listsOf(plan.rootOutputPlan)];
    // What is made for one place's items is not there for those of another.
    const isAlone = ({ child }: OutputPlan) =>
      lists.filter((other) => itemsOf(other.child?.layerPlan) === itemsOf(child?.layerPlan)).length === 1;
    return lists.filter((list) => isAlone(list) && writeList(list)).length;
  } catch {
    // Another Grafast than the one that plan.ts describes: it answers as it does.
    return 0;
  }
}

function writeList(list: OutputPlan): boolean {
  let compiled: List;
  try {
    compiled = compile(list);
  } catch {
    return false;
  }
  const { items, write } = compiled;
  const { execute, executeString } = list;
  const { newBucket } = items;
  if ([execute, executeString, newBucket].some((method) => typeof method !== 'function')) return false;
  const written = new WeakMap<Bucket, readonly (string | undefined)[]>();
  items.newBucket = (around) => {
    try {
      written.set(around, textsOf(list, write, around));
    } catch {
      return newBucket.call(items, around);
    }
    return null;
  };
  const textOf = (bucket: Bucket | undefined, index: number) => bucket && written.get(bucket)?.[index];
  list.executeString = (...args) => textOf(args[2], args[3]) ?? executeString.apply(list, args);
  // Operations over websockets share the plan, and want objects.
  list.execute = (...args) => {
    const text = textOf(args[2], args[3]);
    return text === undefined ? execute.apply(list, args) : JSON.parse(text);
  };
  return true;
}

/** The list's JSON wherever it is around in a bucket. @throws where Grafast has to do one of them. */
function textsOf(list: OutputPlan, write: List['write'], around: Bucket): (string | undefined)[] {
  const outcome = around.store.get(list.rootStep.id);
  if (!outcome || !Number.isInteger(around.size)) throw left;
  return Array.from({ length: around.size }, (_, index) => {
    const value = outcome.at(index);
    // Grafast has items for lists only; for null and errors it says so where the list would be.
    if (!Array.isArray(value)) return undefined;
    if (outcome._flagsAt(index) !== 0) throw left;
    return write(value, around, index);
  });
}

function* listsOf(plan: OutputPlan): Generator<OutputPlan> {
  if (plan.type.mode === 'array') yield plan;
  const fields = Object.values(plan.keys).flatMap((field) => (field.type === 'outputPlan' ? [field.outputPlan] : []));
  const children = [...fields, ...(plan.child ? [plan.child] : []), ...Object.values(plan.childByTypeName ?? {})];
  for (const child of children) yield* listsOf(child);
}

/** The layer of the items that something is within. */
function itemsOf(layer: LayerPlan | undefined): LayerPlan | undefined {
  return !layer || layer.reason.type === 'listItem' ? layer : itemsOf(layer.reason.parentLayerPlan);
}
