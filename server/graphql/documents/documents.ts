import type { DocumentNode, GraphQLSchema, OperationDefinitionNode, Token } from 'postgraphile/graphql';
import { type Owner, operator, WeightedCache } from './cache.ts';
import { hasSensitiveLiterals } from './literals.ts';

/** Estimated memory in bytes, from measurements. See docs/adr/0021-caches-by-weight.md. */
const weights = { document: 20_000, token: 400, character: 2, planningUnit: 4000 } as const;

/** Plans to keep for one operation. Other values of `@include` and `@skip` need another plan. */
const plansPerOperation = 4;

/** A valid document with its schema. */
export interface KnownDocument {
  readonly document: DocumentNode;
  /** The schema for planning this document only. Grafast stores plans in the schema, and so with the document. */
  readonly schema: GraphQLSchema;
}

/** A cache of valid documents and their plans, bounded by their memory. */
export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #trusted: ReadonlySet<string>;
  readonly #cache: WeightedCache<KnownDocument>;
  readonly #kept = new WeakMap<DocumentNode, { readonly key: string; readonly known: KnownDocument }>();
  /** The schemas of documents that are not in the cache. */
  readonly #uncached = new WeakMap<DocumentNode, GraphQLSchema>();
  readonly #counted = new WeakSet<object>();
  readonly #plans = new WeakMap<OperationDefinitionNode, number>();

  /** @param trusted the texts of the operator's documents. All tenants share them, even with sensitive literals. */
  constructor(schema: GraphQLSchema, trusted: ReadonlySet<string>, cache = new WeightedCache<KnownDocument>()) {
    this.#schema = schema;
    this.#trusted = trusted;
    this.#cache = cache;
  }

  get weight(): number {
    return this.#cache.weight;
  }

  find(text: string, tenant: string): DocumentNode | undefined {
    const shared = this.#cache.get(sharedKey(text), tenant);
    return (shared ?? this.#cache.get(privateKey(text, tenant), tenant))?.document;
  }

  /** Adds a valid document. If it has sensitive literals, only `tenant` can find it. */
  add(text: string, document: DocumentNode, tenant: string): void {
    const isTrusted = this.#trusted.has(text);
    const key = !isTrusted && hasSensitiveLiterals(document) ? privateKey(text, tenant) : sharedKey(text);
    const owner: Owner = isTrusted ? operator : tenant;
    const known: KnownDocument = { document, schema: withOwnPlanCache(this.#schema) };
    this.#kept.set(document, { key, known });
    const { document: base, token, character } = weights;
    this.#cache.add(key, known, base + token * countTokens(document) + character * text.length, owner);
  }

  /** Returns the schema for planning a document's operations. */
  schemaFor(document: DocumentNode): GraphQLSchema {
    const schema = this.#kept.get(document)?.known.schema ?? this.#uncached.get(document);
    if (schema) return schema;
    const own = withOwnPlanCache(this.#schema);
    this.#uncached.set(document, own);
    return own;
  }

  /** Counts the memory of a plan once. `units` is its planning time, in units of `planningUnits`. */
  planned(document: DocumentNode, operation: OperationDefinitionNode, plan: object, units: number): void {
    if (this.#counted.has(plan)) return;
    this.#counted.add(plan);
    const plans = this.#plans.get(operation) ?? 0;
    // Beyond this number, each new plan replaces another one.
    if (plans > plansPerOperation) return;
    this.#plans.set(operation, plans + 1);
    this.grow(document, weights.planningUnit * units);
  }

  /** Adds `bytes` to the memory of a cached document. */
  grow(document: DocumentNode, bytes: number): void {
    const kept = this.#kept.get(document);
    if (kept) this.#cache.grow(kept.key, bytes);
  }

  /** Removes a document with its plans and its planning errors. */
  forget(document: DocumentNode): void {
    const kept = this.#kept.get(document);
    if (kept) this.#cache.delete(kept.key);
    this.#uncached.delete(document);
  }
}

function sharedKey(text: string): string {
  return `shared:${text}`;
}

/** Builds the key of a tenant's document. The length of the id prevents collisions with keys of other tenants. */
function privateKey(text: string, tenant: string): string {
  return `private:${tenant.length}:${tenant}:${text}`;
}

/**
 * Returns the same schema with a separate cache of plans. Grafast caches plans in the schema's extensions and limits their
 * number. With a schema for each document, the plans are evicted with the document.
 */
function withOwnPlanCache(schema: GraphQLSchema): GraphQLSchema {
  // Grafast stores the plans of the original under a symbol. Object.entries skips symbols.
  const grafast = Object.fromEntries(Object.entries(schema.extensions.grafast ?? {}));
  const limits = { operationsCacheMaxLength: 2, operationOperationPlansCacheMaxLength: plansPerOperation };
  return Object.create(schema, { extensions: { value: { ...schema.extensions, grafast: { ...grafast, ...limits } } } });
}

function countTokens({ loc }: DocumentNode): number {
  let count = 0;
  for (let token: Token | null | undefined = loc?.startToken; token; token = token.next) count++;
  return count;
}
