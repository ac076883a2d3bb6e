import type { Node } from './nodeTree.ts';

/** A policy that tenants are bound by. */
export interface Policy {
  /** As one names it: `policy select_own on app_public.notes`. */
  readonly object: string;
  readonly table: string;
  readonly command: 'select' | 'insert' | 'update' | 'delete' | 'all';
  /** A restrictive policy allows nothing by itself. */
  readonly permissive: boolean;
  readonly using: Node | null;
  readonly check: Node | null;
  /** Rights that the policy needs and tenants do not have: `execute app_public.f()`. */
  readonly missingRights: MissingRights;
}

export interface MissingRights {
  /** Every statement that the policy is for needs these. */
  readonly certain: readonly string[];
  /** Needed only in a branch of a function, or where an exception handler takes the error. */
  readonly possible: readonly string[];
}

/** Facts that a rule about policies may need beside the policy. Keys are oids, as text, as they are in node trees. */
export interface PolicyFacts {
  /** The setting that names the tenant. */
  readonly setting: string;
  /** Keys of the claims that name the tenant, where the setting holds JSON; undefined for all that tell users apart. */
  readonly claims: readonly string[] | undefined;
  readonly policies: readonly Policy[];
  /** Functions that are called in policies, by themselves or as operators. */
  readonly functions: ReadonlyMap<string, FunctionFacts>;
  /** Operators of Postgres itself; one of the same name in another schema may mean anything. */
  readonly operators: ReadonlyMap<string, string>;
  readonly tables: ReadonlyMap<string, string>;
  /** `<table's oid>.<column's number>` of the columns that are never null. */
  readonly notNull: ReadonlySet<string>;
  /** In the same way, the columns by which alone no two rows are the same. */
  readonly unique: ReadonlySet<string>;
  /**
   * In the same way, the columns that refer by themselves to such a column of another table, as memberships do to a team.
   * On Hedgerow's database these tell no tenant from another: its keys lead with the owner column.
   */
  readonly identifying: ReadonlySet<string>;
  /** Expressions that count as conditions on the tenant although their rows are unknown. */
  readonly trust: {
    /** Functions that depend on the tenant. */
    readonly functions: boolean;
    /** Subqueries in which the tenant stands, and comparisons of it with something of the row, that are not understood. */
    readonly expressions: boolean;
  };
  /** In the same way, the columns that tenants may update. */
  readonly updatable: ReadonlySet<string>;
  /** By the oid of a view or function: the tables and functions that it uses. */
  readonly uses: ReadonlyMap<string, readonly string[]>;
  /** The names of functions and views, as in messages. */
  readonly names: ReadonlyMap<string, string>;
  /** Functions that call themselves without end. */
  readonly endless: ReadonlySet<string>;
}

export interface FunctionFacts {
  /** As one calls it: `app_public.f`. */
  readonly name: string;
  /** Gives the same for the same arguments whenever it is called. */
  readonly immutable: boolean;
  readonly leakproof: boolean;
  /** Says who the tenant is, or depends on it: it reads the setting, by itself or through another function. */
  readonly tenant: boolean;
  /** It takes no argument, reads no rows, and returns one value that is no boolean: the tenant or a claim. */
  readonly isValue: boolean;
}
