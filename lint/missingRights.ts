import type pg from 'pg';
import type { Body } from './bodies.ts';
import type { MissingRights } from './policies.ts';
import { tenantRole } from './scope.ts';
import { readTree, type TreeReads } from './treeReads.ts';

const functionRights = `
  select p.oid::text, format('%s.%s()', n.nspname, p.proname) as name,
    has_function_privilege(${tenantRole}, p.oid, 'execute') as allowed,
    has_schema_privilege(${tenantRole}, n.oid, 'usage') as usage
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where p.oid >= 16384 or p.proacl is not null`;

const relationRights = `
  select c.oid::text, c.oid::regclass::text as name, has_any_column_privilege(${tenantRole}, c.oid, 'select') as allowed,
    has_table_privilege(${tenantRole}, c.oid, 'select') as whole, has_schema_privilege(${tenantRole}, n.oid, 'usage') as usage,
    has_table_privilege(${tenantRole}, c.oid, 'insert, update, delete')
      or has_any_column_privilege(${tenantRole}, c.oid, 'insert, update') as writable,
    array(select a.attnum from pg_attribute a where a.attrelid = c.oid and a.attnum <> 0
      and has_column_privilege(${tenantRole}, c.oid, a.attnum, 'select')) as columns,
    (select json_object_agg(a.attnum, quote_ident(a.attname)) from pg_attribute a where a.attrelid = c.oid) as names
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
    and (c.oid >= 16384 or not has_table_privilege(${tenantRole}, c.oid, 'select'))`;

interface FunctionRights {
  readonly oid: string;
  readonly name: string;
  readonly allowed: boolean;
  readonly usage: boolean;
}

interface RelationRights extends FunctionRights {
  readonly whole: boolean;
  readonly writable: boolean;
  readonly columns: readonly number[];
  readonly names: Readonly<Record<string, string>>;
}

/**
 * Finds privileges that policies need and tenants lack: on functions, on the functions of operators and aggregates, and
 * on columns of tables and views. It follows functions and views that run with the rights of their caller.
 *
 * A reader is an immutable snapshot of all privileges at the time of open().
 */
export class RightsReader {
  readonly #bodies: ReadonlyMap<string, Body>;
  readonly #functions: ReadonlyMap<string, FunctionRights>;
  readonly #relations: ReadonlyMap<string, RelationRights>;

  private constructor(
    bodies: ReadonlyMap<string, Body>,
    functions: readonly FunctionRights[],
    relations: readonly RelationRights[],
  ) {
    this.#bodies = bodies;
    this.#functions = new Map(functions.map((one) => [one.oid, one]));
    this.#relations = new Map(relations.map((one) => [one.oid, one]));
  }

  /** Reads the privileges of tenants from the catalog. The scope has to be set. */
  static async open(client: pg.ClientBase, bodies: ReadonlyMap<string, Body>): Promise<RightsReader> {
    const functions = await client.query<FunctionRights>(functionRights);
    const relations = await client.query<RelationRights>(relationRights);
    return new RightsReader(bodies, functions.rows, relations.rows);
  }

  /**
   * Returns the missing privileges of a policy, such as `execute app_public.f()` and
   * `read app_public.notes.title (in app_public.f())`.
   *
   * @param trees the expressions of the policy, as pg_node_trees.
   */
  missing(trees: readonly string[]): MissingRights {
    const certain = new Set<string>();
    const possible = new Set<string>();
    const reached: string[] = [];
    const others: string[] = [];
    for (const tree of trees) {
      const { functions, selects } = readTree(tree);
      for (const oid of functions) for (const what of this.#execute(oid)) certain.add(what);
      for (const one of selects) for (const what of this.#read(one)) certain.add(what);
      (/\{(CASEEXPR|COALESCEEXPR) /.test(tree) ? others : reached).push(...functions);
      reached.push(...selects.map(({ relation }) => relation));
    }
    const seen = new Set<string>();
    const visit = (oid: string): Body | undefined => {
      const body = seen.has(oid) ? undefined : this.#bodies.get(oid);
      seen.add(oid);
      // A function that runs as its owner needs no privileges of the caller.
      return body?.kind === 'function' && body.asOwner ? undefined : body;
    };
    const used = ({ calls, relations, asOwner }: Body) => [...calls, ...(asOwner ? [] : relations)].flat();
    for (let oid = reached.pop(); oid !== undefined; oid = reached.pop()) {
      const body = visit(oid);
      if (!body) continue;
      for (const what of this.#lacking({ ...body, ...body.certain })) certain.add(what);
      for (const what of this.#lacking(body)) possible.add(what);
      const all = used(body);
      reached.push(...body.certain.bodies.filter((one) => all.includes(one)));
      others.push(...all);
    }
    for (let oid = others.pop(); oid !== undefined; oid = others.pop()) {
      const body = visit(oid);
      if (!body) continue;
      for (const what of this.#lacking(body)) possible.add(what);
      others.push(...used(body));
    }
    return { certain: [...certain], possible: [...possible].filter((what) => !certain.has(what)) };
  }

  /** Privileges that the body itself needs and tenants lack. */
  #lacking(body: Body): string[] {
    const { name, kind, asOwner, calls, selects } = body;
    const called = kind === 'aggregate' ? [] : calls.flat();
    const lacking = selects === undefined ? this.#ofText(body) : called.flatMap((one) => this.#execute(one));
    if (!asOwner) lacking.push(...(selects ?? []).flatMap((one) => this.#read(one)));
    return lacking.map((what) => `${what} (in ${name})`);
  }

  #execute(oid: string): string[] {
    const rights = this.#functions.get(oid);
    return rights && !rights.allowed ? [`execute ${rights.name}`] : [];
  }

  #read({ relation, columns }: TreeReads['selects'][number]): string[] {
    const rights = this.#relations.get(relation);
    if (!rights || rights.whole) return [];
    if (!rights.allowed || columns.length === 0) return rights.allowed ? [] : [`read ${rights.name}`];
    // Column 0 is the whole row.
    return columns
      .filter((column) => !rights.columns.includes(column))
      .map((column) => (column === 0 ? `read all of ${rights.name}` : `read ${rights.name}.${rights.names[column]}`));
  }

  /**
   * Postgres resolves the names in a text as the caller, who therefore needs USAGE on the schema too. Skips ambiguous
   * names of relations, and ambiguous names of functions unless tenants lack a privilege on all candidates.
   */
  #ofText({ calls, relations }: Body): string[] {
    const lacks = (one: FunctionRights | undefined) => one !== undefined && !(one.allowed && one.usage);
    return [
      ...calls.flatMap((meant) => {
        const all = meant.map((oid) => this.#functions.get(oid));
        return all.length > 0 && all.every(lacks) ? [`execute ${all[0]?.name}`] : [];
      }),
      ...relations.flatMap((meant) => {
        const [one] = meant.length === 1 ? meant.map((oid) => this.#relations.get(oid)) : [];
        return one && !(one.usage && (one.allowed || one.writable)) ? [`read ${one.name}`] : [];
      }),
    ];
  }
}
