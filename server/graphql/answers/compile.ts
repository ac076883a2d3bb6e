import { type Bucket, type Field, type LayerPlan, nullFlag, type OutputPlan, type PlannedStep } from './plan.ts';
import { left, plain, resultOf, type Values } from './steps.ts';

/** JSON of what stands in a place. @throws left, or whatever a type says of what it cannot write. */
type Write = (values: Values) => string;

/** How the items of a list are written as JSON. */
export interface List {
  /** The layer of what Grafast would do for each item. */
  readonly items: LayerPlan;
  /**
   * @param bucket of what is around the list, and the index in it.
   * @throws where it has to be left to Grafast, whatever the error.
   */
  write(list: readonly unknown[], bucket: Bucket, index: number): string;
}

/**
 * Makes one function of all that Grafast would do for a list's items, in layers and buckets.
 *
 * @throws where it has to be left to Grafast, whatever the error.
 */
export function compile(plan: OutputPlan): List {
  return new Compiler().list(plan);
}

class Compiler {
  readonly #places = new Map<PlannedStep, number>();
  readonly #taken = new Map<LayerPlan, (values: Values) => void>();
  /** Those of steps around the list. */
  readonly #around: { readonly id: number; readonly place: number }[] = [];

  list(plan: OutputPlan): List {
    if (plan.sideEffectStep !== null || plan.processRoot !== null) throw left;
    const { items, write } = this.#items(plan);
    return {
      items,
      write: (list, bucket, index) => {
        const values: Values = new Array(this.#places.size);
        for (const { id, place } of this.#around) {
          const outcome = bucket.store.get(id);
          if (!outcome || (outcome._flagsAt(index) & ~nullFlag) !== 0) throw left;
          values[place] = outcome.at(index);
        }
        return write(values, list);
      },
    };
  }

  #items({ layerPlan, rootStep, child, childIsNonNull }: OutputPlan) {
    const [items, ...inner] = layersBetween(layerPlan, child?.layerPlan);
    if (!child || !items?.rootStep || items.reason.type !== 'listItem') throw left;
    if (items.reason.parentStep !== rootStep || items.reason.stream) throw left;
    const place = this.#newPlace(items.rootStep);
    const take = this.#take(items);
    const writeItem = this.#within(inner, child, childIsNonNull);
    const write = (values: Values, list: readonly unknown[]) => {
      let json = '';
      for (const item of list) {
        values[place] = plain(item);
        take(values);
        json += json === '' ? writeItem(values) : `,${writeItem(values)}`;
      }
      return `[${json}]`;
    };
    return { items, write };
  }

  /** Takes a layer's steps. Several places may be within one layer. */
  #take(layer: LayerPlan): (values: Values) => void {
    const known = this.#taken.get(layer);
    if (known) return known;
    const { phases, rootStep, parentSideEffectStep, distributorDependencies } = layer;
    if (parentSideEffectStep !== null || distributorDependencies !== null) throw left;
    const steps = phases
      .flatMap(({ _allSteps }) => _allSteps)
      .filter((step) => step !== rootStep)
      .map((step) => {
        const dependencies = step.dependencies.map((dependency) => this.#placeOf(dependency));
        return { place: this.#newPlace(step), value: resultOf(step, dependencies) };
      });
    const take = (values: Values) => {
      for (const { place, value } of steps) values[place] = value(values);
    };
    this.#taken.set(layer, take);
    return take;
  }

  /** What is behind layers that are there only for what is not null. */
  #within(layers: readonly LayerPlan[], plan: OutputPlan, isNonNull: boolean): Write {
    if (typeof isNonNull !== 'boolean') throw left;
    const entered = layers.map((layer) => {
      if (layer.reason.type !== 'nullableBoundary' || !layer.rootStep) throw left;
      return { place: this.#placeOf(layer.rootStep), take: this.#take(layer) };
    });
    const write = this.#value(plan);
    const json: Write = (values) => {
      for (const { place, take } of entered) {
        if (values[place] == null) return 'null';
        take(values);
      }
      return write(values);
    };
    if (!isNonNull) return json;
    return (values) => {
      const written = json(values);
      if (written === 'null') throw left;
      return written;
    };
  }

  #value(plan: OutputPlan): Write {
    const { rootStep, type, sideEffectStep, processRoot, deferredOutputPlans } = plan;
    if (sideEffectStep !== null || processRoot !== null || deferredOutputPlans.length > 0) throw left;
    const place = this.#placeOf(rootStep);
    if (type.mode === 'leaf')
      return (values) => plan.executeString(undefined, [], undefined, 0, values[place] ?? null, 0);
    if (type.mode === 'array') {
      const { write } = this.#items(plan);
      return (values) => {
        const list = values[place] ?? null;
        if (list === null) return 'null';
        if (!Array.isArray(list)) throw left;
        return write(values, list);
      };
    }
    if (type.mode !== 'object') throw left;
    const fields = Object.entries(plan.keys).map(([key, field], index) => ({
      prefix: `${index === 0 ? '' : ','}"${key}":`,
      write: this.#field(field, plan),
    }));
    return (values) => {
      if (values[place] == null) return 'null';
      let json = '{';
      for (const { prefix, write } of fields) json += prefix + write(values);
      return `${json}}`;
    };
  }

  #field(field: Field, { layerPlan, type }: OutputPlan): Write {
    if (field.type === '__typename') {
      const { typeName } = type;
      if (typeName === undefined) throw left;
      return () => `"${typeName}"`;
    }
    const { outputPlan, isNonNull } = field;
    return this.#within(layersBetween(layerPlan, outputPlan.layerPlan), outputPlan, isNonNull);
  }

  #newPlace(step: PlannedStep): number {
    const place = this.#places.size;
    this.#places.set(step, place);
    // A step that has a place already was taken for one from around.
    if (this.#places.size === place) throw left;
    return place;
  }

  #placeOf(step: PlannedStep): number {
    const known = this.#places.get(step);
    if (known !== undefined) return known;
    const place = this.#newPlace(step);
    this.#around.push({ id: step.id, place });
    return place;
  }
}

/** From the one just within `outer` to `inner`. @throws left where the one is not within the other. */
function layersBetween(outer: LayerPlan, inner: LayerPlan | undefined): LayerPlan[] {
  const layers = [];
  for (let layer = inner; layer !== outer; layer = layer.reason.parentLayerPlan) {
    if (!layer) throw left;
    layers.unshift(layer);
  }
  return layers;
}
