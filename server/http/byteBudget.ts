/**
 * A budget of memory that requests share, in bytes. A tenant may hold at most `limits.tenant`, and at most half of the free
 * memory. So each tenant gets less as usage grows, and a few tenants cannot take all of it.
 *
 * Source: Choudhury and Hahne, Dynamic queue length thresholds for shared-memory packet switches (1998).
 */
export class ByteBudget {
  readonly #limits: { readonly total: number; readonly tenant: number };
  readonly #tenants = new Map<string, number>();
  #used = 0;

  constructor(limits: { readonly total: number; readonly tenant: number }) {
    this.#limits = limits;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes `bytes` for a request of `tenant`. @returns false if there is no room; then nothing is taken. */
  take(tenant: string, bytes: number): boolean {
    const own = (this.#tenants.get(tenant) ?? 0) + bytes;
    const free = this.#limits.total - this.#used - bytes;
    if (own > Math.min(this.#limits.tenant, free / 2)) return false;
    this.#tenants.set(tenant, own);
    this.#used += bytes;
    return true;
  }

  /** Returns memory to the budget. */
  give(tenant: string, bytes: number): void {
    const own = (this.#tenants.get(tenant) ?? 0) - bytes;
    if (own > 0) this.#tenants.set(tenant, own);
    else this.#tenants.delete(tenant);
    this.#used -= bytes;
  }
}
