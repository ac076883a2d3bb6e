import type { Catalog } from '../catalog.ts';

/**
 * Finds the objects that a change of some relations can affect:
 *
 * - the relations, their partitions and their partitioned parents
 * - views that read one of these
 * - tables whose policies name one of these
 * - functions whose source names one of these
 *
 * Names are compared as text, so the result may contain unaffected objects.
 *
 * @param changed the oids of the relations.
 * @returns the names of the objects, as in the catalog.
 */
export function affectedObjects({ relations, routines }: Catalog, changed: readonly number[]): ReadonlySet<string> {
  const found = new Set(changed);
  const functions = new Set<string>();
  for (let before = -1; before < found.size; ) {
    before = found.size;
    const foundNames = [...found].flatMap((oid) => relations.get(oid)?.relname ?? []);
    const namesFound = (text: string | null) => foundNames.some((name) => text?.includes(name));
    for (const { oid, reads, parent, policies } of relations.values()) {
      if (reads.some((read) => found.has(read)) || (parent && found.has(parent))) found.add(oid);
      if (policies.some(({ using, check }) => namesFound(using) || namesFound(check))) found.add(oid);
      if (parent && found.has(oid)) found.add(parent);
    }
    for (const { name, source } of routines) if (namesFound(source)) functions.add(name);
  }
  return new Set([...functions, ...[...found].flatMap((oid) => relations.get(oid)?.name ?? [])]);
}
