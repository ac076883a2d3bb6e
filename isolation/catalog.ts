import type pg from 'pg';
import * as queries from './catalogQueries.ts';
import { type Identity, tenantSettings } from './identity.ts';
import { callPattern, escapeRegExp } from './text.ts';
import { findTriggerInserts } from './triggerInserts.ts';

/** Tenants that several users share, beside tables that belong to a user. */
export interface Groups {
  /** The setting that holds the group's id. */
  readonly setting: string;
  /** An INSERT that makes the user `:user` a member of the group `:group`. */
  readonly join: string;
  /** The settings of an ordinary member, in place of those in the scope's `set`; `:id` stands for the group's id. */
  readonly member: Readonly<Record<string, string>>;
  readonly limited: readonly LimitedMember[];
}

/** A member with fewer rights than the group's owner. */
export interface LimitedMember {
  /** A name for display: `a viewer`. */
  readonly name: string;
  /** Values of settings, in place of those in the scope's `set`. */
  readonly set: Readonly<Record<string, string>>;
  readonly mayWrite: boolean;
  /** The tables that the member must not read, as `schema.name`. */
  readonly hidden: readonly string[];
}

/** The schema and the role to attack, and the identity of a transaction. */
export interface Scope extends Identity {
  readonly schema: string;
  readonly role: string;
  /** Session values and functions that are the same in all tenant sessions. */
  readonly fixed?: readonly string[] | undefined;
  readonly groups?: Groups | undefined;
}

/** A type. `name` is valid after `::` and carries no modifier, so that a cast to it neither truncates nor rounds. */
export interface Type {
  readonly oid: number;
  readonly name: string;
  readonly kind: 'base' | 'enum' | 'domain' | 'array' | 'range' | 'multirange' | 'composite' | 'pseudo';
  /** The domain's base, the array's element, the range's subtype, the multirange's range. */
  readonly of: number | null;
  readonly modifier: number;
  readonly notNull: boolean;
  readonly labels: readonly string[];
  readonly attributes: readonly { readonly name: string; readonly type: number; readonly modifier: number }[];
  /** A domain's checks, in which `VALUE` stands for the value. */
  readonly checks: readonly string[];
}

export interface Column {
  readonly name: string;
  readonly number: number;
  readonly type: number;
  readonly modifier: number;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly generated: boolean;
  /** The expression of a generated column. */
  readonly generation: string | null;
  readonly comment: string | null;
  readonly identity: 'always' | 'by default' | null;
  /** The role's privileges on this column. */
  readonly select: boolean;
  readonly insert: boolean;
  readonly update: boolean;
}

export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: number;
  readonly referenced: readonly string[];
  readonly deferrable: boolean;
}

/** A primary key, unique constraint, unique index or exclusion constraint. Expressions of an index are omitted. */
interface Key {
  readonly name: string;
  readonly kind: 'primary' | 'unique' | 'exclusion';
  readonly columns: readonly string[];
  /** It covers expressions or only some rows, so that `on conflict` cannot name it by its columns. */
  readonly partial: boolean;
}

export interface Policy {
  readonly table: number;
  readonly name: string;
  readonly command: 'all' | 'select' | 'insert' | 'update' | 'delete';
  readonly permissive: boolean;
  readonly roles: readonly string[];
  /** Whether it applies to the role that the attacks use. */
  readonly applies: boolean;
  readonly using: string | null;
  readonly check: string | null;
}

interface Trigger {
  readonly table: number;
  readonly name: string;
  readonly definition: string;
  readonly function: number;
}

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly relname: string;
  /** `schema.name`, for display. */
  readonly name: string;
  /** The quoted name, for statements. */
  readonly sql: string;
  readonly kind: 'table' | 'partitioned' | 'view' | 'materialized view' | 'foreign table' | 'sequence';
  readonly owner: string;
  readonly rowSecurity: boolean;
  readonly forced: boolean;
  readonly isPartition: boolean;
  readonly parent: number | null;
  readonly partitionConstraint: string | null;
  readonly options: readonly string[];
  readonly comment: string | null;
  /** Whether the role has USAGE on the schema. */
  readonly usage: boolean;
  /** Privileges on the whole relation: select, insert, update, delete, truncate, references, trigger, usage. */
  readonly privileges: readonly string[];
  readonly columns: readonly Column[];
  readonly keys: readonly Key[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly checks: readonly { readonly name: string; readonly expression: string }[];
  readonly policies: readonly Policy[];
  readonly triggers: readonly Trigger[];
  /** The relations that a view reads. */
  readonly reads: readonly number[];
}

export interface Argument {
  readonly name: string;
  readonly type: number;
  readonly hasDefault: boolean;
  readonly variadic: boolean;
}

export interface Routine {
  readonly oid: number;
  readonly schema: string;
  /** `schema.name(types)`, for display. */
  readonly name: string;
  readonly sql: string;
  readonly kind: 'function' | 'procedure';
  readonly owner: string;
  readonly definer: boolean;
  readonly volatile: boolean;
  readonly returnsSet: boolean;
  readonly returns: number;
  readonly source: string;
  readonly arguments: readonly Argument[];
  /** Whether the role has USAGE on the schema and EXECUTE on the routine. */
  readonly executable: boolean;
  /** Whether it reads a setting that identifies the tenant, directly or through another function. */
  readonly readsSetting: boolean;
}

/** Everything that isolation depends on. The prover attacks `tables` and `views`; `relations` holds all relations. */
export interface Catalog extends Scope {
  readonly relations: ReadonlyMap<number, Relation>;
  readonly types: ReadonlyMap<number, Type>;
  /** Tables that the role can reach, that reachable views read, or that one of these references. */
  readonly tables: readonly Relation[];
  readonly views: readonly Relation[];
  readonly sequences: readonly Relation[];
  readonly routines: readonly Routine[];
  /** Functions that return the current tenant. */
  readonly helpers: readonly Routine[];
}

/** Reads the catalog within the client's current transaction. */
export async function readCatalog(client: pg.ClientBase, scope: Scope): Promise<Catalog> {
  const query = async <Row>(text: string): Promise<Row[]> =>
    (await client.query<{ row: Row }>(text, text.includes('$1') ? [scope.role] : [])).rows.map(({ row }) => row);
  const path = await client.query("select current_setting('search_path') as path");
  // The search_path decides whether Postgres qualifies the names that it prints.
  await client.query("select set_config('search_path', 'pg_catalog', false)");
  try {
    const types = new Map((await query<Type>(queries.types)).map((type) => [type.oid, type]));
    const policies = await query<Policy>(queries.policies);
    const triggers = await query<Trigger>(queries.triggers);
    const relations = new Map(
      (await query<Omit<Relation, 'policies' | 'triggers'>>(queries.relations)).map((relation) => [
        relation.oid,
        {
          ...relation,
          policies: policies.filter(({ table }) => table === relation.oid),
          triggers: triggers.filter(({ table }) => table === relation.oid),
        } as Relation,
      ]),
    );
    const routines = markHelpers(await query<Routine>(queries.routines), tenantSettings(scope));
    const reached = reach(relations, routines, scope.schema);
    const of = (...kinds: readonly Relation['kind'][]) => reached.filter(({ kind }) => kinds.includes(kind));
    return {
      ...scope,
      relations,
      types,
      tables: of('table', 'partitioned', 'foreign table'),
      views: of('view', 'materialized view'),
      sequences: of('sequence'),
      routines,
      helpers: routines.filter(
        ({ readsSetting, arguments: args, returns, returnsSet }) =>
          readsSetting &&
          args.length === 0 &&
          !returnsSet &&
          ['base', 'domain'].includes(types.get(returns)?.kind ?? ''),
      ),
    };
  } finally {
    await client.query("select set_config('search_path', $1, false)", [path.rows[0].path]);
  }
}

/** Whether the role has any privilege on the relation. */
export function isReachable({ usage, privileges, columns }: Relation): boolean {
  return usage && (privileges.length > 0 || columns.some((column) => column.select || column.insert || column.update));
}

/** Statements that refresh every materialized view, in creation order so that dependencies come first. */
export const refreshed = ({ relations }: Pick<Catalog, 'relations'>): string[] =>
  [...relations.values()]
    .filter(({ kind }) => kind === 'materialized view')
    .map(({ sql }) => `refresh materialized view ${sql}`);

/**
 * Collects the relations that attacks can reach:
 *
 * - relations in the schema or granted to the role
 * - relations that an executable SECURITY DEFINER function names
 * - relations that one of these reads or references
 * - tables whose triggers insert rows into one of these
 */
function reach(relations: ReadonlyMap<number, Relation>, routines: readonly Routine[], schema: string): Relation[] {
  const reached = new Set<number>();
  const add = (oid: number): void => {
    const relation = relations.get(oid);
    if (!relation || reached.has(oid)) return;
    reached.add(oid);
    for (const next of [...relation.reads, ...relation.foreignKeys.map(({ references }) => references)]) add(next);
    if (relation.parent) add(relation.parent);
    for (const child of relations.values()) if (child.parent === oid) add(child.oid);
  };
  for (const relation of relations.values()) if (relation.schema === schema || isReachable(relation)) add(relation.oid);
  const run = routines.filter(({ executable, definer }) => executable && definer).map(({ source }) => source);
  for (const { oid, schema: of, relname } of relations.values())
    if (run.some((source) => source.replaceAll('"', '').includes(`${of}.${relname}`))) add(oid);
  for (const { by, table } of findTriggerInserts({ relations, routines })) if (reached.has(table.oid)) add(by.oid);
  return [...reached].map((oid) => relations.get(oid) as Relation).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function markHelpers(routines: readonly Routine[], settings: readonly string[]): Routine[] {
  const helpers = routinesReading(routines, settings);
  return routines.map((routine) => ({ ...routine, readsSetting: helpers.has(routine) }));
}

/** The functions whose source contains one of the settings or calls a function that does. */
function routinesReading(routines: readonly Routine[], settings: readonly string[]): ReadonlySet<Routine> {
  const found = new Set<Routine>();
  for (let before = -1; before < found.size; ) {
    before = found.size;
    const pattern = readPattern(settings, found);
    for (const routine of routines) if (pattern.test(routine.source)) found.add(routine);
  }
  return found;
}

/** Matches the name of a setting, or a call of one of the functions. */
function readPattern(settings: readonly string[], functions: Iterable<Routine>): RegExp {
  return new RegExp([...settings.map(escapeRegExp), ...[...functions].map(({ sql }) => callPattern(sql))].join('|'));
}

/** Whether one of the expressions reads the setting, directly or through a function. */
export function readsSetting(
  { routines }: Pick<Catalog, 'routines'>,
  expressions: readonly (string | null)[],
  setting: string,
): boolean {
  const pattern = readPattern([setting], routinesReading(routines, [setting]));
  return expressions.some((expression) => pattern.test(expression ?? ''));
}
