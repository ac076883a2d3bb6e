/** Limits in estimated bytes of memory. */
interface CacheLimits {
  readonly total: number;
  /** The values of one tenant. */
  readonly tenant: number;
  /** The values that more than one tenant uses. */
  readonly shared: number;
}

const cacheLimits: CacheLimits = { total: 100_000_000, tenant: 25_000_000, shared: 50_000_000 };

/** The owner of the operator's documents. Documents of tenants do not evict them. */
export const operator = Symbol('operator');
export type Owner = string | typeof operator;

/** The owner of values that more than one tenant uses. */
const sharedOwner = Symbol('sharedOwner');

interface Entry<Value> {
  readonly key: string;
  readonly owner: Owner | typeof sharedOwner;
  readonly value: Value;
  weight: number;
}

interface Owned<Value> {
  weight: number;
  /** In order of use, the least recently used first. */
  readonly entries: Set<Entry<Value>>;
}

/**
 * A least-recently-used cache that is bounded by the weight of its values, and fair to tenants.
 *
 * States of a value:
 * - absent: before `add`, and after eviction or `delete`.
 * - owned: `add` assigns it to the tenant that added it.
 * - shared: `get` by a second tenant moves it to the shared values.
 *
 * `grow` adds weight to an owned or shared value. When the cache is full, it evicts the least recently used value of the heaviest tenant,
 * so that a tenant with many values evicts its own first. Shared values have a separate limit, and values of tenants do
 * not evict them.
 */
export class WeightedCache<Value> {
  readonly #limits: CacheLimits;
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #owners = new Map<Entry<Value>['owner'], Owned<Value>>();
  #weight = 0;

  constructor(limits: CacheLimits = cacheLimits) {
    this.#limits = limits;
  }

  get weight(): number {
    return this.#weight;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns a value and marks it as used. It becomes shared if another tenant owns it. */
  get(key: string, tenant: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const { owner, value, weight } = entry;
    if (owner !== tenant && typeof owner === 'string') {
      this.#put({ key, owner: sharedOwner, value, weight: 0 }, weight);
      return value;
    }
    const { entries } = this.#ownedBy(owner);
    entries.delete(entry);
    entries.add(entry);
    return value;
  }

  /**
   * Adds a value.
   *
   * @param weight its estimated bytes. A value over the limit of its owner is not kept.
   */
  add(key: string, value: Value, weight: number, owner: Owner): void {
    this.#put({ key, owner, value, weight: 0 }, weight);
  }

  /** Adds `weight` bytes to the value of `key`, if it is in the cache. */
  grow(key: string, weight: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    const owned = this.#ownedBy(entry.owner);
    entry.weight += weight;
    owned.weight += weight;
    this.#weight += weight;
    while (owned.weight > this.#limitOf(entry.owner)) this.#forgetOldest(owned);
    while (this.#weight > this.#limits.total) this.#forgetOldest(this.#heaviest());
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    const owned = this.#ownedBy(entry.owner);
    this.#entries.delete(key);
    owned.entries.delete(entry);
    owned.weight -= entry.weight;
    this.#weight -= entry.weight;
    if (owned.entries.size === 0) this.#owners.delete(entry.owner);
  }

  #put(entry: Entry<Value>, weight: number): void {
    this.delete(entry.key);
    this.#entries.set(entry.key, entry);
    this.#ownedBy(entry.owner).entries.add(entry);
    this.grow(entry.key, weight);
  }

  #limitOf(owner: Entry<Value>['owner']): number {
    if (owner === operator) return Number.POSITIVE_INFINITY;
    return owner === sharedOwner ? this.#limits.shared : this.#limits.tenant;
  }

  #ownedBy(owner: Entry<Value>['owner']): Owned<Value> {
    const owned = this.#owners.get(owner) ?? { weight: 0, entries: new Set() };
    this.#owners.set(owner, owned);
    return owned;
  }

  #forgetOldest({ entries }: Owned<Value>): void {
    const [oldest] = entries;
    if (oldest) this.delete(oldest.key);
  }

  /** Returns the heaviest tenant. Without tenants, it returns the shared values, or else those of the operator. */
  #heaviest(): Owned<Value> {
    let heaviest: Owned<Value> | undefined;
    for (const [owner, owned] of this.#owners) {
      if (typeof owner === 'string' && owned.weight >= (heaviest?.weight ?? 0)) heaviest = owned;
    }
    return heaviest ?? this.#owners.get(sharedOwner) ?? this.#ownedBy(operator);
  }
}
