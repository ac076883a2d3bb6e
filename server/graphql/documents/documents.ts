import type { DocumentNode, GraphQLSchema, OperationDefinitionNode, Token } from 'postgraphile/graphql';
import { type Owner, operator, WeightedCache } from './cache.ts';
import { hasSensitiveLiterals } from './literals.ts';

/** Estimates of memory, in bytes, measured: see docs/adr/0021-caches-by-weight.md. */
const weights = { document: 20_000, token: 400, character: 2, planningUnit: 4000 } as const;

/** Plans that are kept for one operation: it is planned again for other values of `@include` and `@skip`. */
const plansPerOperation = 4;

/** A valid document, and what is worked out about it once. */
export interface KnownDocument {
  readonly document: DocumentNode;
  /** The schema that its operations are planned with: Grafast keeps plans with the schema, and so with the document. */
  readonly schema: GraphQLSchema;
}

/** Valid documents and their plans, bounded by the memory that they take. */
export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #trusted: ReadonlySet<string>;
  readonly #cache: WeightedCache<KnownDocument>;
  readonly #kept = new WeakMap<DocumentNode, { readonly key: string; readonly known: KnownDocument }>();
  /** Of documents that are not kept here. */
  readonly #others = new WeakMap<DocumentNode, GraphQLSchema>();
  readonly #counted = new WeakSet<object>();
  readonly #plans = new WeakMap<OperationDefinitionNode, number>();

  /** @param trusted texts of the operator's documents: all tenants share them, whatever is in them. */
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

  /** Keeps a valid document: for `tenant` alone where it has values in it. */
  add(text: string, document: DocumentNode, tenant: string): void {
    const isTrusted = this.#trusted.has(text);
    const key = !isTrusted && hasSensitiveLiterals(document) ? privateKey(text, tenant) : sharedKey(text);
    const owner: Owner = isTrusted ? operator : tenant;
    const known: KnownDocument = { document, schema: withPlansOfItsOwn(this.#schema) };
    this.#kept.set(document, { key, known });
    const { document: base, token, character } = weights;
    this.#cache.add(key, known, base + token * countTokens(document) + character * text.length, owner);
  }

  /** The schema to plan a document's operations with. */
  schemaFor(document: DocumentNode): GraphQLSchema {
    const schema = this.#kept.get(document)?.known.schema ?? this.#others.get(document);
    if (schema) return schema;
    const own = withPlansOfItsOwn(this.#schema);
    this.#others.set(document, own);
    return own;
  }

  /** Counts a plan of `operation`, which takes `units` to plan, unless it was counted before. */
  planned(document: DocumentNode, operation: OperationDefinitionNode, plan: object, units: number): void {
    if (this.#counted.has(plan)) return;
    this.#counted.add(plan);
    const plans = this.#plans.get(operation) ?? 0;
    // From then on each new plan replaces another one.
    if (plans > plansPerOperation) return;
    this.#plans.set(operation, plans + 1);
    this.grow(document, weights.planningUnit * units);
  }

  /** Counts `bytes` that are kept for as long as the document is. */
  grow(document: DocumentNode, bytes: number): void {
    const kept = this.#kept.get(document);
    if (kept) this.#cache.grow(kept.key, bytes);
  }

  /** Forgets a document, with its plans and whatever went wrong in planning it. */
  forget(document: DocumentNode): void {
    const kept = this.#kept.get(document);
    if (kept) this.#cache.delete(kept.key);
    this.#others.delete(document);
  }
}

function sharedKey(text: string): string {
  return `shared:${text}`;
}

/** The length of the tenant's id keeps a text of one tenant from making the key of another. */
function privateKey(text: string, tenant: string): string {
  return `private:${tenant.length}:${tenant}:${text}`;
}

/**
 * The same schema with plans of its own. Grafast keeps plans in the schema's extensions, by number: here each document
 * has a schema, and plans go with it.
 */
function withPlansOfItsOwn(schema: GraphQLSchema): GraphQLSchema {
  // Plans that Grafast has kept in the original stand under a symbol.
  const grafast = Object.fromEntries(Object.entries(schema.extensions.grafast ?? {}));
  const limits = { operationsCacheMaxLength: 2, operationOperationPlansCacheMaxLength: plansPerOperation };
  return Object.create(schema, { extensions: { value: { ...schema.extensions, grafast: { ...grafast, ...limits } } } });
}

function countTokens({ loc }: DocumentNode): number {
  let count = 0;
  for (let token: Token | null | undefined = loc?.startToken; token; token = token.next) count++;
  return count;
}
