interface CacheLimits {
  readonly total: number;
  readonly tenant: number;
  /** Values that more than one tenant uses. */
  readonly shared: number;
}

/** Estimated bytes of memory. */
const cacheLimits: CacheLimits = { total: 100_000_000, tenant: 25_000_000, shared: 50_000_000 };

/** Owner of the operator's own documents, which no tenant's push out. */
export const operator = Symbol('operator');
export type Owner = string | typeof operator;

/** Owner of the values that more than one tenant uses. */
const everybody = Symbol('everybody');

interface Entry<Value> {
  readonly key: string;
  readonly owner: Owner | typeof everybody;
  readonly value: Value;
  weight: number;
}

interface Owned<Value> {
  weight: number;
  /** The one that was not used for longest first. */
  readonly entries: Set<Entry<Value>>;
}

/**
 * Keeps values by key, bounded by what they weigh. Each belongs to the tenant who brought it, until a second tenant
 * uses it. When there is no more room, the tenant who has most gives up the value that was not used for longest, so that
 * a tenant who brings much pushes out their own first. Values that tenants share have room of their own: no tenant's
 * values push them out.
 *
 * A value is absent, then kept for its tenant (`add`), shared (`get` by another tenant), heavier (`grow`), and absent
 * again once it is pushed out.
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

  /** Uses a value. The use by a tenant who does not own it makes it shared. */
  get(key: string, tenant: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const { owner, value, weight } = entry;
    if (owner !== tenant && typeof owner === 'string') {
      this.#put({ key, owner: everybody, value, weight: 0 }, weight);
      return value;
    }
    const { entries } = this.#ownedBy(owner);
    entries.delete(entry);
    entries.add(entry);
    return value;
  }

  /** @param weight in bytes. What weighs more than one tenant may have is not kept. */
  add(key: string, value: Value, weight: number, owner: Owner): void {
    this.#put({ key, owner, value, weight: 0 }, weight);
  }

  /** Adds `weight` bytes to what is kept under `key`, if anything is. */
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
    return owner === everybody ? this.#limits.shared : this.#limits.tenant;
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

  /** The tenant with most; shared values and then the operator's only where no tenant has anything. */
  #heaviest(): Owned<Value> {
    let heaviest: Owned<Value> | undefined;
    for (const [owner, owned] of this.#owners) {
      if (typeof owner === 'string' && owned.weight >= (heaviest?.weight ?? 0)) heaviest = owned;
    }
    return heaviest ?? this.#owners.get(everybody) ?? this.#ownedBy(operator);
  }
}
