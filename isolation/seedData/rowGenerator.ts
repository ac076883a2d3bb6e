import type { Relation } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import { isKey, isSharedColumn, isTenants, type Ownership } from '../ownership.ts';
import { hasWord } from '../text.ts';
import { checksOf, inSavepoint } from './checks.ts';
import type { Condition } from './conditions.ts';
import { chooseValues, insert, type RowValues } from './insertRow.ts';
import { searchValues } from './searchValues.ts';
import type { SeedContext } from './seedContext.ts';
import { type Row, readRows, type SeededTenant } from './seedData.ts';
import { hintsFor, mentionedColumns } from './valueHints.ts';

/** Rows to generate per table. */
const maxRows = 24;
/** Milliseconds to spend per table. */
const budget = 10_000;

interface Found {
  readonly values: RowValues;
  /** The row of A to update with these values, because no new row can satisfy the condition. */
  readonly rowToUpdate?: Row;
  /** All values of the new row, if it is known that Postgres accepts them. */
  readonly allValues?: RowValues;
}

/**
 * Generates witness rows for one table. It is active until it has kept `maxRows` rows or `budget` is spent; then
 * `isDone()` returns true. Rows that it only tries are rolled back.
 */
export class RowGenerator {
  readonly #context: SeedContext;
  readonly #table: Relation;
  readonly #ownership: Ownership;
  readonly #tenants: { a: SeededTenant; b: SeededTenant };
  readonly #identities: readonly string[];
  readonly #deadline = performance.now() + budget;
  #keptRows = 0;

  /** @param nobody a valid id that no tenant has. */
  constructor(context: SeedContext, table: Relation, tenants: { a: SeededTenant; b: SeededTenant }, nobody: string) {
    this.#context = context;
    this.#table = table;
    this.#ownership = context.owners.get(table.oid) as Ownership;
    this.#tenants = tenants;
    this.#identities = [tenants.b.id, '', nobody];
  }

  isDone(): boolean {
    return this.#keptRows >= maxRows || performance.now() > this.#deadline;
  }

  /** Whether a condition mentions any column other than the owner. */
  mentionsValues({ relation, expression, text }: Condition): boolean {
    return (
      mentionedColumns(relation, text).some(({ name }) => name !== this.#ownership.column?.name) ||
      hasWord(expression, `${relation.relname}.*`)
    );
  }

  /**
   * Finds values for a row of A that satisfies the condition.
   *
   * @returns undefined if A already has such a row, or if no values are found.
   */
  async satisfy(condition: Condition): Promise<Found | undefined> {
    const { a } = this.#tenants;
    const rows = await this.#rows(a);
    const noChoices = new Map<string, never>();
    if (condition.on === 'rows') {
      for (const row of rows)
        if (
          (await searchValues(this.#context, this.#table, condition, noChoices, valuesOf(row), this.#identities))
            .length > 0
        )
          return undefined;
    }
    const rounds = Math.max(1, ...this.#table.foreignKeys.map((key) => this.#parents(key.references, a).length));
    for (let round = 0; round < (this.#isSingle() ? 0 : Math.min(rounds, 8)) && !this.isDone(); round++) {
      const base = await this.#newValues(a, round);
      if (!base) continue;
      for (const values of await this.#search(condition, base, true)) {
        const allValues = new Map([...base, ...values]);
        if (await this.#canInsert(allValues, a)) return { values, allValues };
      }
    }
    for (const row of rows.slice(0, 4)) {
      const [values] = await this.#search(condition, valuesOf(row), false);
      if (values) return { values, rowToUpdate: row };
    }
    return undefined;
  }

  async #search(condition: Condition, base: RowValues, isNew: boolean): Promise<RowValues[]> {
    const choices = new Map<string, readonly (string | null)[]>();
    for (const column of this.#freeColumns(condition.text, isNew))
      choices.set(column.name, (await this.#hintsFor(column, condition.text)).all);
    return searchValues(this.#context, this.#table, condition, choices, base, this.#identities);
  }

  /** The values that a text mentions next to a column, at most four per column. */
  async mentionedValues(text: string): Promise<Map<string, (string | null)[]>> {
    const found = new Map<string, (string | null)[]>();
    for (const column of this.#freeColumns(text, true)) {
      const { adjacent } = await this.#hintsFor(column, text);
      if (adjacent.length > 0) found.set(column.name, adjacent.slice(0, 4));
    }
    return found;
  }

  /** Whether A has a row with these values. */
  async hasRow(values: RowValues): Promise<boolean> {
    const rows = await this.#rows(this.#tenants.a);
    return rows.some((row) => [...values].every(([name, value]) => isSameValue(row[name] ?? null, value)));
  }

  /**
   * Inserts a row for A and a similar row for B, or updates a row of A.
   *
   * @returns the new or changed rows of A.
   */
  async keep({ values, rowToUpdate, allValues }: Found): Promise<Row[]> {
    const { a } = this.#tenants;
    const before = new Set((await this.#rows(a)).map((row) => JSON.stringify(row)));
    if (rowToUpdate) await this.#update(rowToUpdate, values);
    else {
      await this.#insert(allValues ?? new Map([...((await this.#newValues(a, 0)) ?? []), ...values]), a);
      await this.insertForB({ values });
    }
    const made = (await this.#rows(a)).filter((row) => !before.has(JSON.stringify(row)));
    this.#keptRows += Math.max(1, made.length);
    return made;
  }

  /** Inserts a row with these values for B. */
  async insertForB({ values }: Found): Promise<void> {
    const { b } = this.#tenants;
    const base = await this.#newValues(b, 0);
    if (base) await this.#insert(new Map([...base, ...values]), b);
  }

  /** Records the row as insertable for A and B: inserts it, reads it, and rolls it back. */
  async recordInsertable({ values }: Found, insertableRows: Record<'A' | 'B', Row[]>): Promise<void> {
    const { client } = this.#context;
    for (const tenant of [this.#tenants.a, this.#tenants.b]) {
      const base = await this.#newValues(tenant, 0);
      if (!base) continue;
      await client.query('savepoint witness_row');
      const before = new Set((await this.#rows(tenant)).map((row) => JSON.stringify(row)));
      await this.#insert(new Map([...base, ...values]), tenant);
      const [made] = (await this.#rows(tenant)).filter((row) => !before.has(JSON.stringify(row)));
      if (made) insertableRows[tenant.name as 'A' | 'B'].push(made);
      await client.query('rollback to savepoint witness_row; release savepoint witness_row');
    }
  }

  #isSingle = () => {
    const name = this.#ownership.column?.name;
    return isTenants(this.#table, this.#ownership) || (name !== undefined && isKey(this.#table, name));
  };

  /**
   * The columns that a text mentions and whose values may be chosen. A foreign key column may be chosen only if it refers
   * to a tenant. A member of a group or of a shared row is not chosen. An update must not change the primary key.
   */
  #freeColumns(text: string, isNew: boolean): Relation['columns'] {
    const { catalog, owners, groups, sharing } = this.#context;
    const isMember = (name: string) =>
      sharing.isMember(this.#table, name) ||
      groups.some(({ members, userColumn }) => members.oid === this.#table.oid && userColumn === name);
    const { foreignKeys } = this.#table;
    const refersToTenant = (name: string) =>
      foreignKeys.some(({ columns, references }) => {
        const parent = catalog.relations.get(references);
        return columns.length === 1 && columns[0] === name && parent && isTenants(parent, owners.get(references));
      });
    const isUpdatedKey = (name: string) =>
      !isNew && this.#table.keys[0]?.kind === 'primary' && this.#table.keys[0].columns.includes(name);
    return mentionedColumns(this.#table, text).filter(
      (column) =>
        column.name !== this.#ownership.column?.name &&
        !column.generated &&
        column.identity !== 'always' &&
        !isSharedColumn(column) &&
        !isMember(column.name) &&
        !isUpdatedKey(column.name) &&
        (refersToTenant(column.name) || !foreignKeys.some(({ columns }) => columns.includes(column.name))),
    );
  }

  #hintsFor(column: Relation['columns'][number], text: string) {
    const { client, catalog, owners, seed } = this.#context;
    const { a, b } = this.#tenants;
    const checks = checksOf(this.#table).filter(({ columns }) => columns.includes(column.name));
    const idType = [...owners.values()].find(({ column: own }) => own)?.column?.type;
    this.#context.count += 1;
    return hintsFor(client, catalog, column, { text, checks, ids: [b.id, a.id], idType, seed, n: this.#context.count });
  }

  #newValues(tenant: SeededTenant, round: number): Promise<RowValues | undefined> {
    this.#context.count += 1;
    return chooseValues(this.#context, this.#table, tenant, 'full', round);
  }

  #rows(tenant: SeededTenant): Promise<Row[]> {
    return readRows(this.#context.client, this.#table, this.#ownership, tenant.id);
  }

  #parents(table: number, tenant: SeededTenant): readonly Row[] {
    return this.#context.rows.get(table)?.get(tenant.id) ?? [];
  }

  async #insert(values: RowValues, tenant: SeededTenant): Promise<boolean> {
    const { client, catalog } = this.#context;
    // A policy may accept the row only at sign-up, without an identity.
    for (const id of [tenant.id, '']) {
      await client.query(setIdentity(catalog, id) as string);
      if ((await insert(this.#context, this.#table, tenant, values)) === undefined) return true;
    }
    return false;
  }

  /** Whether the row can be inserted; rolls it back. */
  async #canInsert(values: RowValues, tenant: SeededTenant): Promise<boolean> {
    const { client } = this.#context;
    await client.query('savepoint witness_row');
    const inserted = await this.#insert(values, tenant);
    await client.query('rollback to savepoint witness_row; release savepoint witness_row');
    return inserted;
  }

  async #update(row: Row, values: RowValues): Promise<void> {
    const { client, catalog } = this.#context;
    const id = (name: string) => client.escapeIdentifier(name);
    const set = [...values].map(
      ([name, value]) => `${id(name)} = ${value === null ? 'null' : client.escapeLiteral(value)}`,
    );
    const key = this.#table.keys[0]?.columns ?? Object.keys(row);
    const where = key.map(
      (name) =>
        `t.${id(name)}::text is not distinct from ${row[name] == null ? 'null' : client.escapeLiteral(row[name])}`,
    );
    await client.query(setIdentity(catalog, this.#tenants.a.id) as string);
    await inSavepoint(client, () =>
      client.query(`update ${this.#table.sql} t set ${set.join(', ')} where ${where.join(' and ')}`),
    );
  }
}

/** Compares two values as text. Times may differ in format, so they are compared by instant. */
function isSameValue(one: string | null, other: string | null): boolean {
  const time = (text: string | null) => (/^\d{4}-/.test(text ?? '') ? Date.parse(text as string) : Number.NaN);
  return one === other || time(one) === time(other);
}

const valuesOf = (row: Row): RowValues => new Map(Object.entries(row));
