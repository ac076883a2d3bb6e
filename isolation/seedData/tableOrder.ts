import type { Relation } from '../catalog.ts';

/**
 * Sorts tables so that each comes after the tables that it references. In a cycle, tables whose references may be null
 * come first, then tables whose references are deferrable.
 *
 * @param after the oids of tables whose triggers insert rows into a table. It comes after them if references allow it.
 */
export function inDependencyOrder(
  tables: readonly Relation[],
  after: (table: Relation) => readonly number[] = () => [],
): Relation[] {
  const waiting = new Set([...tables].sort((a, b) => (a.name < b.name ? -1 : 1)));
  const ordered: Relation[] = [];
  const open = (table: Relation, matters: (key: Relation['foreignKeys'][number]) => boolean) =>
    table.foreignKeys.some(
      (key) =>
        key.references !== table.oid &&
        matters(key) &&
        [...waiting].some(({ oid, parent }) => oid === key.references || parent === key.references),
    );
  const required = (table: Relation) => (key: Relation['foreignKeys'][number]) =>
    key.columns.every((name) => table.columns.find((column) => column.name === name)?.notNull);
  while (waiting.size > 0) {
    const all = [...waiting];
    const next =
      all.find(
        (table) => !open(table, () => true) && !after(table).some((oid) => all.some((one) => one.oid === oid)),
      ) ??
      all.find((table) => !open(table, () => true)) ??
      all.find((table) => !open(table, required(table))) ??
      all.find((table) => !open(table, (key) => required(table)(key) && !key.deferrable)) ??
      (all[0] as Relation);
    waiting.delete(next);
    ordered.push(next);
  }
  return ordered;
}
