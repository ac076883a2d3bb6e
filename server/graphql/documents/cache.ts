/** Bytes of memory, as they are estimated: of all documents that are kept, and of those of one tenant. */
const cacheLimits = { total: 100_000_000, tenant: 25_000_000 } as const;

/** Owner of the operator's own documents, which no tenant's push out. */
export const operator = Symbol('operator');
export type Owner = string | typeof operator;

interface Entry<Value> {
  readonly key: string;
  readonly owner: Owner;
  readonly value: Value;
  weight: number;
}

interface Owned<Value> {
  weight: number;
  /** The one that was not used for longest first. */
  readonly entries: Set<Entry<Value>>;
}

/**
 * Keeps values by key, bounded by what they weigh. Each belongs to the tenant who brought it. When there is no more
 * room, the tenant who has most gives up the value that was not used for longest, so that a tenant who brings much
 * pushes out their own first.
 *
 * A value is absent, then kept (`add`), heavier (`grow`), and absent again once it is pushed out.
 */
export class WeightedCache<Value> {
  readonly #limits: { readonly total: number; readonly tenant: number };
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #owners = new Map<Owner, Owned<Value>>();
  #weight = 0;

  constructor(limits: { readonly total: number; readonly tenant: number } = cacheLimits) {
    this.#limits = limits;
  }

  get weight(): number {
    return this.#weight;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const { entries } = this.#ownedBy(entry.owner);
    entries.delete(entry);
    entries.add(entry);
    return entry.value;
  }

  /** @param weight in bytes. What weighs more than one tenant may have is not kept. */
  add(key: string, value: Value, weight: number, owner: Owner): void {
    this.delete(key);
    const entry: Entry<Value> = { key, owner, value, weight: 0 };
    this.#entries.set(key, entry);
    this.#ownedBy(owner).entries.add(entry);
    this.grow(key, weight);
  }

  /** Adds `weight` bytes to what is kept under `key`, if anything is. */
  grow(key: string, weight: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    const owned = this.#ownedBy(entry.owner);
    entry.weight += weight;
    owned.weight += weight;
    this.#weight += weight;
    while (entry.owner !== operator && owned.weight > this.#limits.tenant) this.#forgetOldest(owned);
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

  #ownedBy(owner: Owner): Owned<Value> {
    const owned = this.#owners.get(owner) ?? { weight: 0, entries: new Set() };
    this.#owners.set(owner, owned);
    return owned;
  }

  #forgetOldest({ entries }: Owned<Value>): void {
    const [oldest] = entries;
    if (oldest) this.delete(oldest.key);
  }

  /** The tenant with most; the operator only where nobody else has anything. */
  #heaviest(): Owned<Value> {
    let heaviest: Owned<Value> | undefined;
    for (const [owner, owned] of this.#owners) {
      if (owner !== operator && owned.weight >= (heaviest?.weight ?? 0)) heaviest = owned;
    }
    return heaviest ?? this.#ownedBy(operator);
  }
}
