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

/** SQL for many rows of one table at once. Values are bound; each method is one statement. */
export class Statements {
  readonly #resource: TableResource;
  readonly #table: SQL;
  /** The columns that name a row: the primary key without the tenant's column. */
  readonly #keys: readonly string[];

  constructor(resource: TableResource, keys: readonly string[]) {
    if (typeof resource.from === 'function') throw new Error(`${resource.name} is no table`);
    this.#resource = resource;
    this.#table = resource.from;
    this.#keys = keys;
  }

  /** How many rows a statement may have, so that its parameters can be counted in 16 bits. */
  get most(): number {
    return Math.floor(65_535 / (Object.keys(this.#resource.codec.attributes).length + 1));
  }

  /** Whether tenants may read the columns that name a row. Without them a new row cannot be told from another. */
  get canReadKeys(): boolean {
    return this.#keys.every((key) => this.#may('canSelect', key));
  }

  /** Adds a row for each of `rows`. A column without a value gets its default. Answers with nothing of each row. */
  async insert(client: PgClient, rows: readonly Values[]): Promise<Values[]> {
    await run(client, this.#insertOf(rows));
    return rows.map(() => ({}));
  }

  /** Adds rows as `insert` does. Answers with their keys, which tenants have to be granted SELECT on. */
  async insertReturningKeys(client: PgClient, rows: readonly Values[]): Promise<Values[]> {
    // The rows of RETURNING are in the order of VALUES.
    const keys = this.#keys.map((key) => sql`${this.#asText(key)} as ${sql.identifier(key)}`);
    const insert = sql`${this.#insertOf(rows)}\nreturning ${sql.join(keys, ', ')}`;
    const inserted = await run<Record<string, string>>(client, insert);
    return inserted.map((row) =>
      Object.fromEntries(this.#keys.map((key) => [key, this.#codec(key).fromPg(row[key] as string)])),
    );
  }

  #insertOf(rows: readonly Values[]): SQL {
    const said = columnsOf(rows);
    // A row of defaults names a column, too, and one that tenants may write.
    const [any = this.#keys[0] as string] = this.#columns.filter((column) => this.#may('canInsert', column));
    const columns = said.length > 0 ? said : [any];
    const values = rows.map((row) => tuple(columns.map((column) => this.#value(column, row) ?? sql`default`)));
    return sql`insert into ${this.#table} ${tuple(columns.map((column) => sql.identifier(column)))}
values ${sql.join(values, ', ')}`;
  }

  /** Changes a row for each of `updates`. Answers with their keys; undefined where there is no such row. */
  async update(client: PgClient, updates: readonly Update[]): Promise<(Values | undefined)[]> {
    const done: (Values | undefined)[] = [];
    for (const indices of this.#together(updates)) {
      const some = await this.#updateTogether(
        client,
        indices.map((index) => updates[index] as Update),
      );
      for (const [position, index] of indices.entries()) done[index] = some[position];
    }
    return done;
  }

  /**
   * The positions of the updates that one statement can do. A column that an update leaves out gets the value that it has,
   * which only those may be given who may read it: updates that differ in other columns are apart.
   */
  #together(updates: readonly Update[]): number[][] {
    const groups = new Map<string, number[]>();
    for (const [index, { patch }] of updates.entries()) {
      const unreadable = Object.keys(patch).filter((column) => !this.#may('canSelect', column));
      const group = JSON.stringify(unreadable.sort());
      groups.set(group, [...(groups.get(group) ?? []), index]);
    }
    return [...groups.values()];
  }

  #updateTogether(client: PgClient, updates: readonly Update[]): Promise<(Values | undefined)[]> {
    const columns = columnsOf(updates.map(({ patch }) => patch));
    const items = updates.map(({ key, patch }) => [
      key,
      ...columns.flatMap((column) => {
        const value = this.#value(column, patch);
        return [value ?? sql`null::${this.#codec(column).sqlType}`, sql.literal(value !== undefined)];
      }),
    ]);
    const names = columns.flatMap((_, index) => [sql.identifier(`value${index}`), sql.identifier(`said${index}`)]);
    const set = columns.map((column, index) => {
      const name = sql.identifier(column);
      const value = sql`item.${sql.identifier(`value${index}`)}`;
      if (!this.#may('canSelect', column)) return sql`${name} = ${value}`;
      return sql`${name} = case when item.${sql.identifier(`said${index}`)} then ${value} else existing.${name} end`;
    });
    return this.#byKey(
      client,
      items,
      names,
      sql`update ${this.#table} as existing set ${sql.join(set, ', ')} from item`,
    );
  }

  /** Removes the row of each key. Answers with the keys; undefined where there is no such row. */
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

  /** Whether tenants are granted it, by a grant on the table or on the column. */
  #may(what: 'canSelect' | 'canInsert', column: string): boolean {
    return this.#resource.codec.attributes[column]?.extensions?.[what] !== false;
  }

  /** As text, which is what codecs read. */
  #asText(column: string): SQL {
    const name = sql.identifier(column);
    return this.#codec(column).castFromPg?.(name) ?? sql`${name}::text`;
  }

  #codec(column: string) {
    const attribute = this.#resource.codec.attributes[column];
    if (!attribute) throw new Error(`${this.#resource.name} has no column ${column}`);
    return attribute.codec;
  }

  /** Undefined where the values do not speak of the column: null is a value too. */
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
  // Without a name: the text depends on how many rows there are, and preparing it would push out others.
  return (await client.query<Row>({ text, values, name: '' })).rows;
}
