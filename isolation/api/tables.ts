import type pg from 'pg';
import type { Catalog, Relation } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';

/** A row as text, `schema.table (…)`, and whose it is. */
interface Owned {
  readonly owner: string | null;
  readonly row: string;
}

/** Every row of every table. */
export interface State {
  readonly rows: readonly Owned[];
  /** What the member owns or sees. */
  of(memberId: string): ReadonlySet<string>;
  /** To see whether anything has changed. */
  readonly fingerprint: string;
}

/**
 * The tables below the API, past every policy: what they hold before and after an attack, and back to what they held.
 *
 * @param client of a role that bypasses row-level security, on a scratch database.
 */
export class Tables {
  readonly #client: pg.ClientBase;
  readonly #catalog: Catalog;
  readonly #owners: ReadonlyMap<number, Ownership>;
  readonly #members: readonly string[];
  /** Partitions are read through their parents. */
  readonly #stored: readonly Relation[];

  /** @param members ids of the users whose rows are watched. */
  constructor(
    client: pg.ClientBase,
    catalog: Catalog,
    owners: ReadonlyMap<number, Ownership>,
    members: readonly string[],
  ) {
    this.#client = client;
    this.#catalog = catalog;
    this.#owners = owners;
    this.#members = members;
    this.#stored = catalog.tables.filter(({ kind, isPartition }) => kind !== 'foreign table' && !isPartition);
  }

  /** A member's are the rows whose owner the member is, and what the member sees. Only once they are kept. */
  async read(members = this.#members): Promise<State> {
    const { escapeLiteral } = this.#client as pg.Client;
    const { role, setting } = this.#catalog;
    const asMember = (id: string) =>
      `select set_config('role', ${escapeLiteral(role)}, true), set_config(${escapeLiteral(setting)}, ${escapeLiteral(id)}, true);
       execute isolation_seen(${escapeLiteral(id)}); reset role;`;
    const text = `begin; execute isolation_rows; ${members.map(asMember).join('')} commit`;
    const results = (await this.#client.query(text)) as unknown as pg.QueryResult<Owned>[];
    const [rows = [], ...seen] = results
      .filter(({ fields }) => fields?.[0]?.name === 'owner')
      .map((result) => result.rows);
    const of = (id: string) => [...rows, ...seen.flat()].filter(({ owner }) => owner === id).map(({ row }) => row);
    const byMember = new Map(members.map((id) => [id, new Set(of(id))]));
    return {
      rows,
      of: (id) => byMember.get(id) ?? new Set(),
      fingerprint: rows
        .map(({ row }) => row)
        .sort()
        .join('\n'),
    };
  }

  /** Keeps what the tables hold now, for `restore`, and prepares what `read` asks after every attack. */
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

  /** The tables that each member can read. A policy that raises an error for one would keep all of them from being read. */
  async #readable(): Promise<Relation[]> {
    const readable: Relation[] = [];
    for (const table of this.#stored) {
      if (!table.usage || !table.columns.every(({ select }) => select)) continue;
      let isReadable = true;
      for (const id of this.#members) isReadable &&= await this.#canRead(table, id);
      if (isReadable) readable.push(table);
    }
    return readable;
  }

  async #canRead({ sql }: Relation, memberId: string): Promise<boolean> {
    const { escapeLiteral } = this.#client as pg.Client;
    const { role, setting } = this.#catalog;
    // One message is one transaction: an error takes back role and setting.
    const text = `select set_config('role', ${escapeLiteral(role)}, true), set_config(${escapeLiteral(setting)}, ${escapeLiteral(memberId)}, true);
      select count(t::text) from ${sql} t; reset role`;
    return this.#client.query(text).then(
      () => true,
      (error: { code?: string }) => {
        if (error.code === undefined) throw error;
        return false;
      },
    );
  }

  /** Takes a member's rows away, and nothing that refers to them. */
  async clear({ oid, sql }: Relation, memberId: string): Promise<void> {
    const owner = this.#owners.get(oid)?.sql('t');
    if (!owner) return;
    const { escapeLiteral } = this.#client as pg.Client;
    await this.#client.query(`begin; set local session_replication_role = replica;
      delete from ${sql} t where ${owner} = ${escapeLiteral(memberId)}; commit`);
  }

  /** Back to what was kept: no trigger and no foreign key is asked. */
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

/** What is in one of two sets of rows and not in the other, in words; undefined where nothing is. */
export function difference(before: ReadonlySet<string>, after: ReadonlySet<string>): string | undefined {
  const gone = [...before].filter((row) => !after.has(row));
  const come = [...after].filter((row) => !before.has(row));
  if (gone.length === 0 && come.length === 0) return undefined;
  const list = (rows: readonly string[]) => rows.slice(0, 3).join('; ');
  if (gone.length === 0) return `a row came to be: ${list(come)}`;
  if (come.length === 0) return `a row is gone: ${list(gone)}`;
  return `${list(gone)} became ${list(come)}`;
}
