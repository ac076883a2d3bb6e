import type pg from 'pg';
import type { Catalog, Relation } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import type { Ownership } from '../ownership.ts';

/** A row as text, `schema.table (…)`, with its owner. */
interface Owned {
  readonly owner: string | null;
  readonly row: string;
}

/** Every row of every table. */
export interface State {
  readonly rows: readonly Owned[];
  /** The rows that the user owns or sees. */
  of(userId: string): ReadonlySet<string>;
  /** A text that changes if any row changes. */
  readonly fingerprint: string;
}

/**
 * Reads and restores the tables directly, bypassing row-level security.
 *
 * `keep` copies the current rows to the schema `isolation_kept` and prepares the statements of `read`. After that, `read`
 * returns the current state, and `restore` copies the kept rows back. The client must connect to a scratch database as a
 * role that bypasses row-level security.
 */
export class Tables {
  readonly #client: pg.ClientBase;
  readonly #catalog: Catalog;
  readonly #owners: ReadonlyMap<number, Ownership>;
  readonly #userIds: readonly string[];
  /** Tables that store rows. Partitions are read through their parents. */
  readonly #stored: readonly Relation[];

  /** @param userIds the users whose rows are watched. */
  constructor(
    client: pg.ClientBase,
    catalog: Catalog,
    owners: ReadonlyMap<number, Ownership>,
    userIds: readonly string[],
  ) {
    this.#client = client;
    this.#catalog = catalog;
    this.#owners = owners;
    this.#userIds = userIds;
    this.#stored = catalog.tables.filter(({ kind, isPartition }) => kind !== 'foreign table' && !isPartition);
  }

  /** Reads all rows, and the rows that each user sees. Requires a previous call of `keep`. */
  async read(userIds = this.#userIds): Promise<State> {
    const { escapeLiteral } = this.#client as pg.Client;
    const asUser = (id: string) => `${this.#become(id)}; execute isolation_seen(${escapeLiteral(id)}); reset role;`;
    const text = `begin; execute isolation_rows; ${userIds.map(asUser).join('')} commit`;
    const results = (await this.#client.query(text)) as unknown as pg.QueryResult<Owned>[];
    const [rows = [], ...seen] = results
      .filter(({ fields }) => fields?.[0]?.name === 'owner')
      .map((result) => result.rows);
    const of = (id: string) => [...rows, ...seen.flat()].filter(({ owner }) => owner === id).map(({ row }) => row);
    const byUser = new Map(userIds.map((id) => [id, new Set(of(id))]));
    return {
      rows,
      of: (id) => byUser.get(id) ?? new Set(),
      fingerprint: rows
        .map(({ row }) => row)
        .sort()
        .join('\n'),
    };
  }

  /** Copies the current rows for `restore`, and prepares the statements that `read` runs after every attack. */
  async keep(): Promise<void> {
    const { escapeLiteral } = this.#client as pg.Client;
    const read = (tables: readonly Relation[], owner: (table: Relation) => string) =>
      tables
        .map(
          (table) =>
            `select ${owner(table)} as owner, ${escapeLiteral(table.name)} || ' ' || t::text as row from ${table.sql} t`,
        )
        .join(' union all ') || 'select null as owner, null as row where false';
    const readable = await this.#readable();
    await this.#client.query(`deallocate all;
      prepare isolation_rows as ${read(this.#stored, ({ oid }) => this.#owners.get(oid)?.sql('t') ?? 'null')};
      prepare isolation_seen(text) as ${read(readable, () => '$1')}`);
    await this.#client.query('drop schema if exists isolation_kept cascade; create schema isolation_kept');
    for (const { oid, sql } of this.#stored) {
      await this.#client.query(`create table isolation_kept.t${oid} as table ${sql}`);
    }
  }

  /** The tables that every user can read. If a policy raised an error for one user, `read` would fail for all. */
  async #readable(): Promise<Relation[]> {
    const readable: Relation[] = [];
    for (const table of this.#stored) {
      if (!table.usage || !table.columns.every(({ select }) => select)) continue;
      let isReadable = true;
      for (const id of this.#userIds) isReadable &&= await this.#canRead(table, id);
      if (isReadable) readable.push(table);
    }
    return readable;
  }

  async #canRead({ sql }: Relation, userId: string): Promise<boolean> {
    // One message is one transaction, so an error also resets the role and the settings.
    const text = `${this.#become(userId)}; select count(t::text) from ${sql} t; reset role`;
    return this.#client.query(text).then(
      () => true,
      (error: { code?: string }) => {
        if (error.code === undefined) throw error;
        return false;
      },
    );
  }

  #become(userId: string): string {
    const { escapeIdentifier } = this.#client as pg.Client;
    return `set local role ${escapeIdentifier(this.#catalog.role)}; ${setIdentity(this.#catalog, userId)}`;
  }

  /** Deletes a user's rows without cascading to rows that reference them. */
  async clear({ oid, sql }: Relation, userId: string): Promise<void> {
    const owner = this.#owners.get(oid)?.sql('t');
    if (!owner) return;
    const { escapeLiteral } = this.#client as pg.Client;
    await this.#client.query(`begin; set local session_replication_role = replica;
      delete from ${sql} t where ${owner} = ${escapeLiteral(userId)}; commit`);
  }

  /** Restores the kept rows, without triggers and foreign key checks. */
  async restore(): Promise<void> {
    const { escapeIdentifier } = this.#client as pg.Client;
    const statements = this.#stored.map(({ oid, sql, columns }) => {
      const names = columns.filter(({ generated }) => !generated).map(({ name }) => escapeIdentifier(name));
      return `delete from ${sql};
        insert into ${sql} (${names}) overriding system value select ${names} from isolation_kept.t${oid};`;
    });
    await this.#client.query(`begin; set local session_replication_role = replica; ${statements.join('')} commit`);
  }
}

/** Describes the difference between two sets of rows; `undefined` if there is none. */
export function difference(before: ReadonlySet<string>, after: ReadonlySet<string>): string | undefined {
  const removed = [...before].filter((row) => !after.has(row));
  const added = [...after].filter((row) => !before.has(row));
  if (removed.length === 0 && added.length === 0) return undefined;
  const list = (rows: readonly string[]) => rows.slice(0, 3).join('; ');
  if (removed.length === 0) return `a row was added: ${list(added)}`;
  if (added.length === 0) return `a row was deleted: ${list(removed)}`;
  return `${list(removed)} became ${list(added)}`;
}
