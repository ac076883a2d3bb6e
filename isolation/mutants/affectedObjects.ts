import type { Catalog } from '../catalog.ts';

/**
 * The names of what a change of these relations can be seen in: they themselves, views and partitions of them, what they
 * are partitions of, and the tables and functions in whose policies or source their names are.
 */
export function near({ relations, routines }: Catalog, changed: readonly number[]): ReadonlySet<string> {
  const found = new Set(changed);
  const functions = new Set<string>();
  for (let before = -1; before < found.size; ) {
    before = found.size;
    const named = [...found].flatMap((oid) => relations.get(oid)?.relname ?? []);
    const names = (text: string | null) => named.some((name) => text?.includes(name));
    for (const { oid, reads, parent, policies } of relations.values()) {
      if (reads.some((read) => found.has(read)) || (parent && found.has(parent))) found.add(oid);
      if (policies.some(({ using, check }) => names(using) || names(check))) found.add(oid);
      if (parent && found.has(oid)) found.add(parent);
    }
    for (const { name, source } of routines) if (names(source)) functions.add(name);
  }
  return new Set([...functions, ...[...found].flatMap((oid) => relations.get(oid)?.name ?? [])]);
}
