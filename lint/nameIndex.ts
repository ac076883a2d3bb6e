import type pg from 'pg';

/** A name as the text of a function has it. */
export interface Named {
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

/** Relations and functions by their names. */
export class NameIndex {
  readonly #names = new Map<string, { readonly schema: string; readonly oid: string }[]>();
  /** The oids of tables and views that are not Postgres' own. */
  readonly relations = new Set<string>();

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
   * The oids of everything that a name may mean.
   *
   * @param path the search_path of the function, where it sets one.
   */
  find(kind: 'function' | 'relation', { schema, name }: Named, path: string | null): string[] {
    const schemas = path?.split(',').map((one) => one.trim().replaceAll('"', ''));
    const isMeant = (of: string) =>
      schema === undefined
        ? of === 'pg_catalog' || (schemas === undefined ? of !== 'information_schema' : schemas.includes(of))
        : of === schema;
    return (this.#names.get(`${kind} ${name}`) ?? []).filter((one) => isMeant(one.schema)).map(({ oid }) => oid);
  }
}
