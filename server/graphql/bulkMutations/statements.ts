import {
  type PgClient,
  type PgCodecWithAttributes,
  type PgResource,
  sqlValueWithCodec,
} from 'postgraphile/@dataplan/pg';
import { type SQL, sql } from 'postgraphile/pg-sql2';

export type TableResource = PgResource<string, PgCodecWithAttributes>;

/** A row's values by column. */
export type Values = Readonly<Record<string, unknown>>;

export interface Update {
  readonly key: unknown;
  readonly patch: Values;
}

/** Builds and runs SQL for many rows of one table. Values are bound parameters. */
export class Statements {
  readonly #resource: TableResource;
  readonly #table: SQL;
  /** The columns that identify a row: the primary key without the tenant's column. */
  readonly #keys: readonly string[];

  constructor(resource: TableResource, keys: readonly string[]) {
    if (typeof resource.from === 'function') throw new Error(`${resource.name} is not a table`);
    this.#resource = resource;
    this.#table = resource.from;
    this.#keys = keys;
  }

  /** The maximum number of rows in one statement. The protocol counts parameters in 16 bits. */
  get maxRows(): number {
    return Math.floor(65_535 / (Object.keys(this.#resource.codec.attributes).length + 1));
  }

  /** Tenants may read the columns that identify a row. */
  get canReadKeys(): boolean {
    return this.#keys.every((key) => this.#may('canSelect', key));
  }

  /** Inserts `rows`. A column without a value gets its default. Returns an empty record for each row. */
  async insert(client: PgClient, rows: readonly Values[]): Promise<Values[]> {
    await run(client, this.#insertOf(rows));
    return rows.map(() => ({}));
  }

  /** Inserts `rows` and returns their keys. Needs the tenants' SELECT grant on the key columns. */
  async insertReturningKeys(client: PgClient, rows: readonly Values[]): Promise<Values[]> {
    // RETURNING keeps the order of VALUES.
    const keys = this.#keys.map((key) => sql`${this.#asText(key)} as ${sql.identifier(key)}`);
    const insert = sql`${this.#insertOf(rows)}\nreturning ${sql.join(keys, ', ')}`;
    const inserted = await run<Record<string, string>>(client, insert);
    return inserted.map((row) =>
      Object.fromEntries(this.#keys.map((key) => [key, this.#codec(key).fromPg(row[key] as string)])),
    );
  }

  #insertOf(rows: readonly Values[]): SQL {
    const given = columnsOf(rows);
    // Rows of defaults also need one column in the list. It must be one that tenants may write.
    const [writable = this.#keys[0] as string] = this.#columns.filter((column) => this.#may('canInsert', column));
    const columns = given.length > 0 ? given : [writable];
    const values = rows.map((row) => tuple(columns.map((column) => this.#value(column, row) ?? sql`default`)));
    return sql`insert into ${this.#table} ${tuple(columns.map((column) => sql.identifier(column)))}
values ${sql.join(values, ', ')}`;
  }

  /** Updates a row for each of `updates`. Returns their keys; `undefined` for a row that does not exist. */
  async update(client: PgClient, updates: readonly Update[]): Promise<(Values | undefined)[]> {
    const done: (Values | undefined)[] = [];
    for (const indices of this.#groupByUnreadable(updates)) {
      const group = await this.#updateGroup(
        client,
        indices.map((index) => updates[index] as Update),
      );
      for (const [position, index] of indices.entries()) done[index] = group[position];
    }
    return done;
  }

  /**
   * Groups the positions of updates that one statement can apply. The statement assigns a column that an update omits its
   * old value, which needs the SELECT grant. So updates that differ in unreadable columns go into separate statements.
   */
  #groupByUnreadable(updates: readonly Update[]): number[][] {
    const groups = new Map<string, number[]>();
    for (const [index, { patch }] of updates.entries()) {
      const unreadable = Object.keys(patch).filter((column) => !this.#may('canSelect', column));
      const group = JSON.stringify(unreadable.sort());
      groups.set(group, [...(groups.get(group) ?? []), index]);
    }
    return [...groups.values()];
  }

  #updateGroup(client: PgClient, updates: readonly Update[]): Promise<(Values | undefined)[]> {
    const columns = columnsOf(updates.map(({ patch }) => patch));
    const items = updates.map(({ key, patch }) => [
      key,
      ...columns.flatMap((column) => {
        const value = this.#value(column, patch);
        return [value ?? sql`null::${this.#codec(column).sqlType}`, sql.literal(value !== undefined)];
      }),
    ]);
    const names = columns.flatMap((_, index) => [sql.identifier(`value${index}`), sql.identifier(`given${index}`)]);
    const set = columns.map((column, index) => {
      const name = sql.identifier(column);
      const value = sql`item.${sql.identifier(`value${index}`)}`;
      if (!this.#may('canSelect', column)) return sql`${name} = ${value}`;
      return sql`${name} = case when item.${sql.identifier(`given${index}`)} then ${value} else existing.${name} end`;
    });
    return this.#byKey(
      client,
      items,
      names,
      sql`update ${this.#table} as existing set ${sql.join(set, ', ')} from item`,
    );
  }

  /** Deletes the row of each key. Returns the keys; `undefined` for a row that does not exist. */
  delete(client: PgClient, keys: readonly unknown[]): Promise<(Values | undefined)[]> {
    const items = keys.map((key) => [key]);
    return this.#byKey(client, items, [], sql`delete from ${this.#table} as existing using item`);
  }

  async #byKey(client: PgClient, items: readonly unknown[][], names: readonly SQL[], action: SQL) {
    const column = this.#keys[0] as string;
    const values = items.map(([key, ...rest], index) =>
      tuple([sql.literal(index), sqlValueWithCodec(key, this.#codec(column)), ...(rest as SQL[])]),
    );
    const done = await run<{ index: number }>(
      client,
      sql`with item ${tuple([sql`index`, sql`key`, ...names])} as (values ${sql.join(values, ', ')})
${action} where existing.${sql.identifier(column)} = item.key returning item.index`,
    );
    const found = new Set(done.map(({ index }) => index));
    return items.map(([key], index) => (found.has(index) ? { [column]: key } : undefined));
  }

  get #columns(): string[] {
    return Object.keys(this.#resource.codec.attributes);
  }

  /** Tells whether a grant on the table or the column allows it to tenants. */
  #may(what: 'canSelect' | 'canInsert', column: string): boolean {
    return this.#resource.codec.attributes[column]?.extensions?.[what] !== false;
  }

  /** Casts a column to text, the format that codecs read. */
  #asText(column: string): SQL {
    const name = sql.identifier(column);
    return this.#codec(column).castFromPg?.(name) ?? sql`${name}::text`;
  }

  #codec(column: string) {
    const attribute = this.#resource.codec.attributes[column];
    if (!attribute) throw new Error(`${this.#resource.name} has no column ${column}`);
    return attribute.codec;
  }

  /** Returns `undefined` if `values` omits the column. Null is a value. */
  #value(column: string, values: Values): SQL | undefined {
    return values[column] === undefined ? undefined : sqlValueWithCodec(values[column], this.#codec(column));
  }
}

function columnsOf(rows: readonly Values[]): string[] {
  return [...new Set(rows.flatMap(Object.keys))];
}

function tuple(items: readonly SQL[]): SQL {
  return sql`(${sql.join(items, ', ')})`;
}

async function run<Row>(client: PgClient, query: SQL): Promise<readonly Row[]> {
  const { text, values } = sql.compile(query);
  // No name: the text depends on the number of rows, and preparing it would evict other prepared statements.
  return (await client.query<Row>({ text, values, name: '' })).rows;
}
