import type { Node } from '../postgres/nodeTree.ts';
import type { Comparison, Declarations } from './accessModel.ts';
import type { IdentityKind } from './scope.ts';

/** A policy that applies to tenants. */
export interface Policy {
  /** Such as `policy select_own on app_public.notes`. */
  readonly object: string;
  /** The oid of the table. */
  readonly table: string;
  readonly command: 'select' | 'insert' | 'update' | 'delete' | 'all';
  /** False for a restrictive policy, which allows nothing on its own. */
  readonly permissive: boolean;
  readonly using: Node | null;
  readonly check: Node | null;
  /** Differs if the expressions or the command of the policy change. */
  readonly fingerprint: string;
  /** Privileges that the policy needs and tenants lack, such as `execute app_public.f()`. */
  readonly missingRights: MissingRights;
}

export interface MissingRights {
  /** Needed by every statement that the policy applies to. */
  readonly certain: readonly string[];
  /** Needed only in a branch of a function, or where an exception handler catches the error. */
  readonly possible: readonly string[];
}

/** Facts from the catalog that rules about policies use. Keys are oids as text, as in node trees. */
export interface PolicyFacts {
  /** The setting that identifies the tenant. */
  readonly setting: string;
  /** The setting that identifies the organization, if tables can belong to organizations. */
  readonly groupSetting: string | undefined;
  /** Owner columns of tables, by oid. Only on Hedgerow's database, which knows them before it evaluates policies. */
  readonly owners: ReadonlyMap<string, Owner>;
  /**
   * Claims that identify the tenant, if the setting holds JSON. If undefined, every claim that tells users apart
   * counts.
   */
  readonly claims: readonly string[] | undefined;
  readonly policies: readonly Policy[];
  /** Functions that policies call, directly or as operators. */
  readonly functions: ReadonlyMap<string, FunctionFacts>;
  /** Names of operators in pg_catalog. An operator of the same name in another schema can mean anything. */
  readonly operators: ReadonlyMap<string, string>;
  readonly tables: ReadonlyMap<string, string>;
  /** Columns that are never null, as `<oid of the table>.<number of the column>`. */
  readonly notNull: ReadonlySet<string>;
  /** The columns of the unique indexes of a table, by its oid. */
  readonly keys: ReadonlyMap<string, readonly (readonly number[])[]>;
  /** Columns with a unique index of their own, in the same notation. */
  readonly unique: ReadonlySet<string>;
  /**
   * Columns with a single-column foreign key to a unique column, in the same notation, such as the team of a
   * membership, and the kind of tenant that they identify. On Hedgerow's database keys start with the owner column, so
   * only references to organizations identify a tenant.
   */
  readonly identifying: ReadonlyMap<string, IdentityKind>;
  /** Expressions that the linter trusts to restrict rows to the tenant although it cannot evaluate them. */
  readonly trust: {
    /** Functions that depend on the tenant. */
    readonly functions: boolean;
    /** Subqueries that contain the tenant, and comparisons of the tenant with a value of the row. */
    readonly expressions: boolean;
  };
  /** Columns that tenants may update, in the same notation. */
  readonly updatable: ReadonlySet<string>;
  /** Columns that tenants may insert, in the same notation. */
  readonly insertable: ReadonlySet<string>;
  /** Columns whose comment declares that they name other readers (`@isolation shared: reason`), in the same notation. */
  readonly shared: ReadonlySet<string>;
  /** The comments of tables, by oid. */
  readonly comments: ReadonlyMap<string, string | null>;
  /** The declarations in these comments, by oid. */
  readonly declared: ReadonlyMap<string, Declarations>;
  /**
   * Comparisons of rows of a table, by its oid, that are assumed not to hold, because rows for which they hold are
   * shared.
   */
  readonly excluded?: readonly (Comparison & { readonly table: string })[];
  /** The oids of tables whose users may reach every row of the policy's table, such as support staff. */
  readonly staff?: ReadonlySet<string>;
  /** The oids of all tables and views, by `schema.name`. */
  readonly relations: ReadonlyMap<string, string>;
  /** The labels of enums, by the oid of the label. */
  readonly labels: ReadonlyMap<string, string>;
  /** Names of columns, in the same notation. */
  readonly columns: ReadonlyMap<string, string>;
  /** The rows that policies rely on, by the oid of their table. */
  readonly trusted: ReadonlyMap<string, TrustedRows>;
  /** A subquery that is assumed to have every result. */
  readonly assumed?: Node | undefined;
  /** The tables and functions that a view or function uses, by its oid. */
  readonly uses: ReadonlyMap<string, readonly string[]>;
  /** Names of functions and views for messages. */
  readonly names: ReadonlyMap<string, string>;
  /** Functions with unconditional recursion. */
  readonly endless: ReadonlySet<string>;
  /** The tables that functions read as caller or owner, directly or through functions, and the words in their bodies. */
  readonly readsOfFunctions: ReadonlyMap<string, readonly TableRead[]>;
}

/** A table that a function reads. */
export interface TableRead {
  readonly table: string;
  /** The numbers of the columns that it selects, or the names in its text. */
  readonly columns: readonly number[] | ReadonlySet<string>;
}

/** Rows of a table that give access to rows of another table, such as memberships. */
export interface TrustedRows {
  /** A policy that reads them. */
  readonly by: string;
  /** The numbers of the columns that decide on access, except the user's and unique ones. */
  readonly columns: ReadonlySet<number>;
}

/** The column whose value identifies the tenant of a row. */
export interface Owner {
  readonly attnum: number;
  readonly kind: IdentityKind;
  /** Further owner columns that a comment declares, such as the receiver of a message. */
  readonly others?: readonly number[];
  /** The user's column, if the rows are memberships: they belong to the organization and to the user. */
  readonly member?: number | null;
}

export interface FunctionFacts {
  /** Such as `app_public.f`, and without the schema for functions of pg_catalog. */
  readonly name: string;
  readonly immutable: boolean;
  readonly leakproof: boolean;
  /** The result depends on these identities: the function reads their settings, directly or through others. */
  readonly identities: readonly IdentityKind[];
  /** Whether it reads a table or view. */
  readonly readsRows: boolean;
  /** Other settings that it reads, directly or through other functions. */
  readonly otherSettings: readonly string[];
  /** The name of a function that is IMMUTABLE and reads a setting: this function or one that it uses. */
  readonly frozen: string | undefined;
  /** Takes no argument, reads no rows and returns one value that is not a boolean: the tenant or a claim. */
  readonly isValue: boolean;
}
