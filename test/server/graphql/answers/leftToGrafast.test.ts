import { writeLists } from '../../../../server/graphql/answers/lists.ts';
import type { LayerPlan, OperationPlan, OutputPlan } from '../../../../server/graphql/answers/plan.ts';
import { type Api, type Apis, startApis } from './apis.ts';

let apis: Apis;
let byGrafast: Api;
let written: Api;
let write = writeLists;

beforeAll(async () => {
  apis = await startApis();
  byGrafast = await apis.api();
  written = await apis.api((plan) => write(plan));
});
afterAll(() => apis.close());

/** All places of an answer. */
function* placesOf(plan: OutputPlan): Generator<OutputPlan> {
  yield plan;
  const fields = Object.values(plan.keys).flatMap((field) => (field.type === 'outputPlan' ? [field.outputPlan] : []));
  for (const inner of [...fields, ...(plan.child ? [plan.child] : [])]) yield* placesOf(inner);
}

function layersAround(layer: LayerPlan): LayerPlan[] {
  const { parentLayerPlan } = layer.reason;
  return [layer, ...(parentLayerPlan ? layersAround(parentLayerPlan) : [])];
}

const placeItself = (place: OutputPlan) => [place];
const itsLayers = ({ layerPlan }: OutputPlan) => layersAround(layerPlan);

type Part = Record<string, unknown>;

/** Writes lists of a plan whose parts do not have what is named; afterwards Grafast finds what is its own. */
function writeWithout(name: string, partsOf: (place: OutputPlan) => readonly object[]) {
  return (plan: OperationPlan): number => {
    const parts = new Set([...placesOf(plan.rootOutputPlan)].flatMap(partsOf) as Part[]);
    const owned = [...parts].map((part) => [part, part[name], Object.hasOwn(part, name)] as const);
    for (const [part] of owned) part[name] = undefined;
    try {
      return writeLists(plan);
    } finally {
      for (const [part, value, isOwn] of owned) {
        delete part[name];
        if (isOwn) part[name] = value;
      }
    }
  };
}

/** Writes lists of a plan whose buckets do not have what is named, as lists' functions see them. */
function writeWithoutOfBuckets(name: string) {
  return (plan: OperationPlan): number => {
    const layers = [...new Set([...placesOf(plan.rootOutputPlan)].flatMap(itsLayers))];
    const kept = layers.map((layer) => layer.newBucket);
    for (const [index, layer] of layers.entries())
      layer.newBucket = (bucket) => (kept[index] as typeof layer.newBucket).call(layer, Object.getPrototypeOf(bucket));
    const count = writeLists(plan);
    for (const layer of layers) {
      const { newBucket } = layer;
      layer.newBucket = (bucket) => newBucket.call(layer, Object.create(bucket, { [name]: { value: undefined } }));
    }
    return count;
  };
}

/** How often Grafast was asked for the items of lists. */
let asked = 0;

function writeAndCount(plan: OperationPlan): number {
  asked = 0;
  const layers = new Set([...placesOf(plan.rootOutputPlan)].flatMap(itsLayers));
  for (const layer of layers) {
    if (layer.reason.type !== 'listItem') continue;
    const { newBucket } = layer;
    layer.newBucket = (bucket) => {
      asked++;
      return newBucket.call(layer, bucket);
    };
  }
  return writeLists(plan);
}

test.each([
  ['{ lists { nodes { name todos { nodes { title } } } } kinds { nodes { words } } }', 0],
  ['{ faults { nodes { ratio } } lists { nodes { name } } }', 1],
])('%s: Grafast takes the items of %d lists', async (document, times) => {
  write = writeAndCount;
  await written.ask(document);
  write = writeLists;
  expect(asked).toBe(times);
});

test.each([
  ...['type', 'keys', 'execute', 'executeString'].map((name) => [name, writeWithout(name, placeItself)]),
  ...['reason', 'phases', 'newBucket'].map((name) => [name, writeWithout(name, itsLayers)]),
  ...['size', 'store'].map((name) => [name, writeWithoutOfBuckets(name)]),
] as [string, typeof writeLists][])('where Grafast no longer has %s, it is left to answer', async (name, without) => {
  const document = `query ${name} { lists { nodes { __typename } } todos { nodes { title list { name } } } }`;
  write = without;
  const { data } = await written.ask(document);
  write = writeLists;
  expect(data).toBe((await byGrafast.ask(document)).data);
  expect(JSON.parse(JSON.stringify((await written.ask(document, true)).data))).toEqual(JSON.parse(data as string));
});
