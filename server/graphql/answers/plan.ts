/**
 * What is used of Grafast's plans: all that decides what an answer is made of. An operation's is a tree of places in the
 * answer; what their steps give is kept in buckets, one for each layer of a request.
 */
export interface OperationPlan {
  readonly operation: { readonly operation: string };
  readonly rootOutputPlan: OutputPlan;
}

/** A place in the answer: which step has its value, and how that is written. */
export interface OutputPlan {
  readonly layerPlan: LayerPlan;
  readonly rootStep: PlannedStep;
  readonly sideEffectStep: unknown;
  readonly processRoot: unknown;
  readonly type: { readonly mode: string; readonly typeName?: string };
  /** Of an object, by key of the answer. */
  readonly keys: Readonly<Record<string, Field>>;
  /** Of a list: what its items are. */
  readonly child: OutputPlan | null;
  readonly childIsNonNull: boolean;
  readonly childByTypeName?: Readonly<Record<string, OutputPlan>> | undefined;
  readonly deferredOutputPlans: readonly unknown[];
  execute: Output<unknown>;
  executeString: Output<string>;
}

export type Field =
  | { readonly type: '__typename' }
  | { readonly type: 'outputPlan'; readonly outputPlan: OutputPlan; readonly isNonNull: boolean };

/** Gives what stands in a place; with a value, nothing is looked up in buckets. */
type Output<T> = (
  root: unknown,
  path: unknown[],
  bucket: Bucket | undefined,
  index: number,
  value?: unknown,
  flags?: number,
) => T;

/** Steps that are taken together: of the operation, for each item of a list, for what is not null. */
export interface LayerPlan {
  readonly reason: {
    readonly type: string;
    readonly parentLayerPlan?: LayerPlan;
    readonly parentStep?: PlannedStep;
    readonly stream?: unknown;
  };
  readonly rootStep: PlannedStep | null;
  readonly parentSideEffectStep: unknown;
  readonly distributorDependencies: unknown;
  /** In the order in which they can be taken. */
  readonly phases: readonly { readonly _allSteps: readonly PlannedStep[] }[];
  /** Null where there is nothing to take the layer's steps for. */
  newBucket(parent: Bucket): Bucket | null;
}

export interface PlannedStep {
  readonly id: number;
  readonly isSyncAndSafe: boolean;
  readonly hasSideEffects: boolean;
  readonly cloneStreams: boolean;
  readonly metaKey?: unknown;
  readonly polymorphicPaths: unknown;
  readonly implicitSideEffectStep: unknown;
  readonly dependencies: readonly PlannedStep[];
  readonly dependencyForbiddenFlags: readonly number[];
  unbatchedExecute(extra: object, ...values: unknown[]): unknown;
  execute(details: object): readonly unknown[];
}

/** What a layer's steps gave in one request, for each of the objects that it is taken for. */
export interface Bucket {
  readonly size: number;
  readonly store: ReadonlyMap<number, Outcome>;
}

interface Outcome {
  at(index: number): unknown;
  _flagsAt(index: number): number;
}

/** Said of a value that is null. All other flags say that there is none. */
export const nullFlag = 2;
