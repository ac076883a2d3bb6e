import type pg from 'pg';

/** A name in the text of a function, with its schema if the text gives one. */
export interface QualifiedName {
  readonly schema: string | undefined;
  readonly name: string;
}

const namesOfAll = `
  select c.oid::text, n.nspname as schema, c.relname as name, 'relation' as kind
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'f', 'm', 'S') and c.relpersistence <> 't'
  union all
  select p.oid::text, n.nspname, p.proname, 'function'
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname <> 'pg_catalog' or p.oid >= 16384`;

/** An index of relations and functions by name. It reflects the catalog at the time of open(). */
export class NameIndex {
  readonly #names = new Map<string, { readonly schema: string; readonly oid: string }[]>();
  /** The oids of user-defined relations. */
  readonly relations = new Set<string>();

  /** Reads all names from the catalog. */
  static async open(client: pg.ClientBase): Promise<NameIndex> {
    const index = new NameIndex();
    const { rows } = await client.query<{ oid: string; schema: string; name: string; kind: string }>(namesOfAll);
    for (const { oid, schema, name, kind } of rows) {
      const key = `${kind} ${name}`;
      index.#names.set(key, [...(index.#names.get(key) ?? []), { schema, oid }]);
      if (kind === 'relation' && Number(oid) >= 16384) index.relations.add(oid);
    }
    return index;
  }

  /**
   * Returns the oids of everything that a name can refer to.
   *
   * @param path the search_path that the function sets, or null.
   */
  find(kind: 'function' | 'relation', { schema, name }: QualifiedName, path: string | null): string[] {
    const schemas = path?.split(',').map((one) => one.trim().replaceAll('"', ''));
    const isMeant = (of: string) =>
      schema === undefined
        ? of === 'pg_catalog' || (schemas === undefined ? of !== 'information_schema' : schemas.includes(of))
        : of === schema;
    return (this.#names.get(`${kind} ${name}`) ?? []).filter((one) => isMeant(one.schema)).map(({ oid }) => oid);
  }
}
