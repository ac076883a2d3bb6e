import { type Declarations, type Exception, exceptionSql, quoteLiteral, quoteName } from '../lint/accessModel.ts';
import type { Catalog, Relation } from './catalog.ts';
import { declarationsOf, declaredTable, declaredUsers, membershipOf } from './declarations.ts';
import { isKey, type Ownership } from './ownership.ts';

type Known = Pick<Catalog, 'relations' | 'tables'>;

/** SQL conditions for the rows that others may read or write by declaration. They need a role that sees all rows. */
export class Sharing {
  readonly #catalog: Known;
  readonly #owners: ReadonlyMap<number, Ownership>;
  readonly #declared: ReadonlyMap<number, Declarations>;
  /** The columns that name users in declared memberships, by the membership table's oid. */
  readonly #members = new Map<number, Set<string>>();
  readonly #users: ReadonlySet<string>;

  constructor(catalog: Known, owners: ReadonlyMap<number, Ownership>) {
    this.#catalog = catalog;
    this.#owners = owners;
    this.#declared = declarationsOf(catalog);
    this.#users = new Set(
      [...declaredUsers(catalog), ...this.#writtenByOthers()].flatMap(([{ relname, foreignKeys }, column]) =>
        foreignKeys.filter(({ columns }) => columns.includes(column)).map(({ name }) => `${relname}.${name}`),
      ),
    );
    for (const table of catalog.tables) {
      for (const one of this.exceptions(table, 'read')) {
        const members = membershipOf(one);
        if (!members) continue;
        const { oid } = declaredTable(catalog, table, members.table);
        this.#members.set(oid, (this.#members.get(oid) ?? new Set()).add(members.userColumn));
      }
    }
  }

  /** Whether any declaration depends on the user who reads. Otherwise all readers may read the same rows. */
  get dependsOnUser(): boolean {
    return [...this.#declared.values()].some(
      ({ owner, read, write }) =>
        [...read, ...write].some(({ kind }) => kind !== 'everyone' && kind !== 'when') ||
        (owner?.kind === 'user' && owner.columns.length > 1),
    );
  }

  /** The declared exceptions. Rows that others may write may be read, too. */
  exceptions({ oid }: Relation, command: 'read' | 'write'): readonly Exception[] {
    const { owner, read = [], write = [] } = this.#declared.get(oid) ?? {};
    const others = owner?.kind === 'user' ? owner.columns.slice(1) : [];
    const owners = others.map((column): Exception => ({ kind: 'user', column }));
    return command === 'read' ? [...read, ...write, ...owners] : [...write, ...owners];
  }

  /** Whether a column names the members of a group or of a shared row. A row with another user would share rows. */
  isMember({ oid }: Relation, column: string): boolean {
    return this.#members.get(oid)?.has(column) ?? false;
  }

  /** Whether a foreign key, as `table.constraint`, refers to a user whom others may name: a recipient or a new member. */
  namesUser(constraint: string): boolean {
    return this.#users.has(constraint);
  }

  /**
   * A condition for the rows `alias` that the user may read: those that declarations of the table cover, and memberships that
   * name the user. Without `read:`, a row may be read if a row that it refers to may.
   */
  readable(table: Relation, alias: string, user: string): string {
    const own = this.#covered(table, alias, user, this.exceptions(table, 'read'));
    const named = [...(this.#members.get(table.oid) ?? [])].map(
      (column) => `${alias}.${quoteName(column)}::text = ${quoteLiteral(user)}`,
    );
    return anyOf([...own, ...named, ...this.#parents(table, alias, user, 'read')]);
  }

  /** A condition for the rows `alias` that the user may write. */
  writable(table: Relation, alias: string, user: string): string {
    return anyOf(this.#covered(table, alias, user, this.exceptions(table, 'write')));
  }

  /** A condition for the rows `alias` that the user may delete, also by deleting a row to which they refer. */
  removable(table: Relation, alias: string, user: string): string {
    return anyOf([this.writable(table, alias, user), ...this.#parents(table, alias, user, 'write')]);
  }

  /** Conditions for the rows `alias` that the user may read because of their own values. One of them must hold. */
  readableByValues(table: Relation, alias: string, user: string): string[] {
    const plain = this.exceptions(table, 'read').filter(({ kind }) => kind === 'when' || kind === 'user');
    return this.#covered(table, alias, user, plain);
  }

  #covered(table: Relation, alias: string, user: string, exceptions: readonly Exception[]): string[] {
    return exceptions.map((one) =>
      exceptionSql(one, alias, quoteLiteral(user), (name) => declaredTable(this.#catalog, table, name).sql),
    );
  }

  /** Conditions for rows that follow a parent, such as comments of a published post. */
  #parents(
    table: Relation,
    alias: string,
    user: string,
    command: 'read' | 'write',
    seen: readonly number[] = [],
  ): string[] {
    if (command === 'read' && (this.#declared.get(table.oid)?.read.length ?? 0) > 0) return [];
    return table.foreignKeys.flatMap((key) => {
      const parent = this.#catalog.relations.get(key.references);
      if (!parent || seen.includes(parent.oid) || parent.oid === table.oid || this.#isTenant(parent)) return [];
      const p = `${alias}p`;
      const covering = this.exceptions(parent, command).filter(
        ({ kind }) => kind === 'when' || kind === 'user' || kind === 'through',
      );
      const conditions = [
        ...this.#covered(parent, p, user, covering),
        ...this.#parents(parent, p, user, command, [...seen, table.oid]),
      ];
      if (conditions.length === 0) return [];
      const on = key.columns.map(
        (name, i) => `${p}.${quoteName(key.referenced[i] as string)} = ${alias}.${quoteName(name)}`,
      );
      return `exists (select from ${parent.sql} ${p} where ${on.join(' and ')} and ${anyOf(conditions)})`;
    });
  }

  /** The owner columns of tables that others may write. An update checks the reference to the owner again. */
  #writtenByOthers(): [Relation, string][] {
    return this.#catalog.tables.flatMap((table): [Relation, string][] => {
      const owner = this.#owners.get(table.oid)?.column?.name;
      return owner !== undefined && this.exceptions(table, 'write').length > 0 ? [[table, owner]] : [];
    });
  }

  /** Whether a tenant has one row in the table, such as a profile. Others who may read it may not read all that refers to it. */
  #isTenant(table: Relation): boolean {
    const owner = this.#owners.get(table.oid)?.column?.name;
    return owner !== undefined && isKey(table, owner);
  }
}

/** A condition that holds if one of the conditions does. */
export const anyOf = (conditions: readonly string[]) =>
  conditions.length > 0 ? `(${conditions.join(' or ')})` : 'false';
