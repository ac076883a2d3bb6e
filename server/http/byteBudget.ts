/** Memory that requests share, in bytes: all of them, and those of one tenant. */
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

  /** Takes `bytes` for a request of `tenant`; false where there is no room, and then nothing is taken. */
  take(tenant: string, bytes: number): boolean {
    const own = (this.#tenants.get(tenant) ?? 0) + bytes;
    if (this.#used + bytes > this.#limits.total || own > this.#limits.tenant) return false;
    this.#tenants.set(tenant, own);
    this.#used += bytes;
    return true;
  }

  /** Gives back what was taken. */
  give(tenant: string, bytes: number): void {
    const own = (this.#tenants.get(tenant) ?? 0) - bytes;
    if (own > 0) this.#tenants.set(tenant, own);
    else this.#tenants.delete(tenant);
    this.#used -= bytes;
  }
}
