const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const name = /\btenant\d+\b/g;

/** Owners of all ids in the test. Finds ids and names of other tenants in the text of an answer. */
export class Owners {
  readonly #owners = new Map<string, string>();

  /** Records the owner of `id`. Names need no record: each tenant writes its name into all its texts. */
  record(id: string, owner: string): void {
    this.#owners.set(id, owner);
  }

  /** Returns the names and ids in `text` that do not belong to `tenant`; with undefined, those of all tenants. */
  foreignIn(text: string, tenant: string | undefined): string[] {
    const found = [
      ...(text.match(name) ?? []).filter((owner) => owner !== tenant),
      ...(text.match(uuid) ?? []).filter((id) => this.#owners.has(id) && this.#owners.get(id) !== tenant),
    ];
    return [...new Set(found)];
  }
}
