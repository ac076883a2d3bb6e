const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const name = /\btenant\d+\b/g;

/** Whose is whose: finds in the text of any answer what is not the asking tenant's. */
export class Owners {
  readonly #owners = new Map<string, string>();

  /** `id` names something of `owner`'s; their names are in all that they write, and need not be noted. */
  record(id: string, owner: string): void {
    this.#owners.set(id, owner);
  }

  /** What in `text` belongs to another than `asking`; with undefined, to anybody at all. */
  foreignIn(text: string, asking: string | undefined): string[] {
    const found = [
      ...(text.match(name) ?? []).filter((owner) => owner !== asking),
      ...(text.match(uuid) ?? []).filter((id) => this.#owners.has(id) && this.#owners.get(id) !== asking),
    ];
    return [...new Set(found)];
  }
}
