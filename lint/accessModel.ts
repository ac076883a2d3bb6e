import { type Token, tokenize } from './tokens.ts';

// The access model of a schema says whose rows a table has, and who else may read or write them. Comments on tables
// declare it, one declaration on each line:
//
//   @isolation owner: user_id
//   @isolation owner: organization_id through members (organization_id, user_id)
//   @isolation owner: parent list_id
//   @isolation read: everyone
//   @isolation read: when published and deleted_at is null
//   @isolation read: user recipient_id
//   @isolation read: id through collaborators (list_id, user_id)
//   @isolation write: id through collaborators (list_id, user_id) where role in ('editor', 'admin')
//   @isolation read: by profiles (user_id) where is_support
//   @isolation shared: all tenants may add a country
//
// The grammar is small, so that the linter can evaluate it and the prover can turn it into SQL.

/** A comparison of a column with constants. */
export type Comparison =
  | { readonly column: string; readonly is: 'true' | 'false' | 'null' | 'not null' | 'past' }
  | { readonly column: string; readonly is: 'one of'; readonly values: readonly string[] };

/** A table whose rows connect users with something. */
export interface Membership {
  /** The name as declared, with or without a schema. */
  readonly table: readonly string[];
  readonly userColumn: string;
  /** All must hold for a membership to count. */
  readonly conditions: readonly Comparison[];
}

/** The declared owner of a table's rows. */
type DeclaredOwner =
  | { readonly kind: 'user'; readonly columns: readonly string[] }
  | { readonly kind: 'group'; readonly column: string; readonly groupColumn: string; readonly members: Membership }
  | { readonly kind: 'parent'; readonly columns: readonly string[] };

/** Users other than the owner who may reach a row. */
export type Exception =
  | { readonly kind: 'everyone' }
  | { readonly kind: 'user'; readonly column: string }
  | { readonly kind: 'when'; readonly conditions: readonly Comparison[] }
  | { readonly kind: 'through'; readonly column: string; readonly memberColumn: string; readonly members: Membership }
  | { readonly kind: 'by'; readonly users: Membership };

/** The declarations of one table. */
export interface Declarations {
  readonly owner?: DeclaredOwner;
  /** A row may be read by others if one of these holds. Reading never excuses writing. */
  readonly read: readonly Exception[];
  /** A row may be written by others if one of these holds. */
  readonly write: readonly Exception[];
  /** The reason why all tenants share all rows. */
  readonly shared?: string;
}

/** A declaration that does not follow the grammar. The message names the line and says what is expected. */
export class DeclarationError extends Error {}

/** Returns the reason in a comment on a table or a column, `@isolation shared: reason`. */
export function sharedReason(comment: string | null): string | undefined {
  return comment?.match(/^\s*@isolation\s+shared:\s*(\S.*)$/m)?.[1];
}

const line = /^\s*@isolation\b[ \t]*(.*?)[ \t]*$/gm;

/**
 * Reads the declarations in the comment of a table.
 *
 * @throws DeclarationError
 */
export function parseDeclarations(comment: string | null): Declarations {
  let owner: DeclaredOwner | undefined;
  let shared: string | undefined;
  const exceptions = { read: [] as Exception[], write: [] as Exception[] };
  for (const [, declaration = ''] of (comment ?? '').matchAll(line)) {
    const [, word = '', rest = ''] = /^(\w*)\s*:\s*(.*)$/.exec(declaration) ?? [];
    const reader = new Reader(declaration, rest);
    switch (word) {
      case 'shared':
        if (rest === '') throw reader.expected('a reason after `shared:`');
        shared = rest;
        break;
      case 'owner':
        if (owner) throw reader.expected('one owner only');
        owner = reader.owner();
        break;
      case 'read':
      case 'write':
        exceptions[word].push(reader.exception());
        break;
      default:
        throw reader.expected('`owner:`, `read:`, `write:` or `shared:`');
    }
  }
  return { ...(owner && { owner }), ...exceptions, ...(shared !== undefined && { shared }) };
}

/** A recursive-descent parser of one declaration. */
class Reader {
  readonly #declaration: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(declaration: string, text: string) {
    this.#declaration = declaration;
    this.#tokens = tokenize(text);
  }

  expected(what: string): DeclarationError {
    const found = this.#tokens[this.#next]?.sql;
    const where = found === undefined ? '' : ` at ${found}`;
    return new DeclarationError(`\`@isolation ${this.#declaration}\`: expected ${what}${where}`);
  }

  owner(): DeclaredOwner {
    if (this.#take('parent')) return this.#end({ kind: 'parent', columns: this.#names() });
    const columns = this.#names();
    const [column] = columns;
    if (columns.length > 1 || column === undefined || !this.#take('through'))
      return this.#end({ kind: 'user', columns });
    const { table, memberColumn, userColumn } = this.#memberColumns();
    const members = { table, userColumn, conditions: this.#where() };
    return this.#end({ kind: 'group', column, groupColumn: memberColumn, members });
  }

  exception(): Exception {
    if (this.#take('everyone')) return this.#end({ kind: 'everyone' });
    if (this.#take('when')) return this.#end({ kind: 'when', conditions: this.#conditions() });
    if (this.#take('user')) return this.#end({ kind: 'user', column: this.#name() });
    if (this.#take('by')) {
      const table = this.#qualifiedName();
      this.#need('(');
      const userColumn = this.#name();
      this.#need(')');
      return this.#end({ kind: 'by', users: { table, userColumn, conditions: this.#where() } });
    }
    const column = this.#name('`everyone`, `when`, `user`, `by` or a column');
    if (!this.#take('through')) throw this.expected('`through`');
    const { table, memberColumn, userColumn } = this.#memberColumns();
    return this.#end({
      kind: 'through',
      column,
      memberColumn,
      members: { table, userColumn, conditions: this.#where() },
    });
  }

  #memberColumns() {
    const table = this.#qualifiedName();
    this.#need('(');
    const memberColumn = this.#name();
    this.#need(',');
    const userColumn = this.#name();
    this.#need(')');
    return { table, memberColumn, userColumn };
  }

  #where(): Comparison[] {
    return this.#take('where') ? this.#conditions() : [];
  }

  #conditions(): Comparison[] {
    const conditions = [this.#comparison()];
    while (this.#take('and')) conditions.push(this.#comparison());
    return conditions;
  }

  #comparison(): Comparison {
    if (this.#take('not')) return { column: this.#name(), is: 'false' };
    const column = this.#name();
    if (this.#take('=')) return { column, is: 'one of', values: [this.#literal()] };
    if (this.#take('in')) {
      this.#need('(');
      const values = [this.#literal()];
      while (this.#take(',')) values.push(this.#literal());
      this.#need(')');
      return { column, is: 'one of', values };
    }
    if (this.#take('is')) {
      const not = this.#take('not');
      if (!this.#take('null')) throw this.expected('`null`');
      return { column, is: not ? 'not null' : 'null' };
    }
    if (this.#take('<')) {
      this.#need('=');
      for (const part of ['now', '(', ')']) this.#need(part);
      return { column, is: 'past' };
    }
    return { column, is: 'true' };
  }

  #names(): string[] {
    const names = [this.#name()];
    while (this.#take(',')) names.push(this.#name());
    return names;
  }

  #qualifiedName(): string[] {
    const name = [this.#name('a table')];
    if (this.#take('.')) name.push(this.#name('a table'));
    return name;
  }

  #name(what = 'a column'): string {
    const token = this.#tokens[this.#next];
    if (token?.kind !== 'word' && token?.kind !== 'name') throw this.expected(what);
    this.#next++;
    return token.value;
  }

  #literal(): string {
    const token = this.#tokens[this.#next];
    if (token?.kind !== 'literal' && !(token?.kind === 'word' && /^\d+$/.test(token.value)))
      throw this.expected("a literal such as 'admin'");
    this.#next++;
    return token.value;
  }

  #take(text: string): boolean {
    const token = this.#tokens[this.#next];
    const isIt = token?.kind !== 'name' && token?.kind !== 'literal' && token?.value === text;
    if (isIt) this.#next++;
    return isIt;
  }

  #need(text: string): void {
    if (!this.#take(text)) throw this.expected(`\`${text}\``);
  }

  #end<T>(parsed: T): T {
    if (this.#next < this.#tokens.length) throw this.expected('the end of the line');
    return parsed;
  }
}

/** Quotes a name for SQL. */
export const quoteName = (name: string) => `"${name.replaceAll('"', '""')}"`;
/** Quotes a text for SQL, under standard_conforming_strings. */
export const quoteLiteral = (value: string) => `'${value.replaceAll("'", "''")}'`;

/**
 * Builds SQL that tells whether an exception covers the row `alias` for a user.
 *
 * @param user SQL for the user's id, as text.
 * @param tableSql returns the quoted name of a declared table.
 */
export function exceptionSql(
  exception: Exception,
  alias: string,
  user: string,
  tableSql: (name: readonly string[]) => string,
): string {
  const member = ({ table, userColumn, conditions }: Membership, more: readonly string[]) => {
    const all = [
      `m.${quoteName(userColumn)}::text = ${user}`,
      ...more,
      ...conditions.map((one) => comparisonSql(one, 'm')),
    ];
    return `exists (select from ${tableSql(table)} m where ${all.join(' and ')})`;
  };
  switch (exception.kind) {
    case 'everyone':
      return 'true';
    case 'user':
      return `${alias}.${quoteName(exception.column)}::text = ${user}`;
    case 'when':
      return `(${exception.conditions.map((one) => comparisonSql(one, alias)).join(' and ')})`;
    case 'through':
      return member(exception.members, [
        `m.${quoteName(exception.memberColumn)} = ${alias}.${quoteName(exception.column)}`,
      ]);
    case 'by':
      return member(exception.users, []);
  }
}

function comparisonSql(comparison: Comparison, alias: string): string {
  const column = `${alias}.${quoteName(comparison.column)}`;
  switch (comparison.is) {
    case 'one of':
      return `${column}::text in (${comparison.values.map(quoteLiteral).join(', ')})`;
    case 'past':
      return `${column} <= now()`;
    default:
      return `${column} is ${comparison.is}`;
  }
}
