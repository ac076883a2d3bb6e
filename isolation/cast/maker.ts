import type { Relation } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import { isKey, isSharedColumn, isTenants, type Ownership } from '../owners.ts';
import { type Member, type Row, readRows } from './cast.ts';
import { attempt, checksOf } from './checks.ts';
import { type Condition, hasWord } from './conditions.ts';
import { chooseValues, insert, type Values } from './insertRow.ts';
import type { Making } from './making.ts';
import { search } from './search.ts';
import { spokenOf, wordsFor } from './words.ts';

/** At most so many rows for a tenant, and milliseconds for a table. */
const most = 24;
const budget = 10_000;

interface Found {
  readonly values: Values;
  /** The row of A's that would do with these values, where a new one does not. */
  readonly instead?: Row;
  /** What the row holds besides. */
  readonly base?: Values;
}

/** Makes rows of one table that suit conditions. */
export class Maker {
  readonly #making: Making;
  readonly #table: Relation;
  readonly #ownership: Ownership;
  readonly #members: { a: Member; b: Member };
  readonly #identities: readonly string[];
  readonly #until = performance.now() + budget;
  #made = 0;

  constructor(making: Making, table: Relation, members: { a: Member; b: Member }, nobody: string) {
    this.#making = making;
    this.#table = table;
    this.#ownership = making.owners.get(table.oid) as Ownership;
    this.#members = members;
    this.#identities = [members.b.id, '', nobody];
  }

  isDone(): boolean {
    return this.#made >= most || performance.now() > this.#until;
  }

  /** Whether a condition speaks of anything but whose the row is. */
  speaksOfValues({ relation, expression, text }: Condition): boolean {
    return (
      spokenOf(relation, text).some(({ name }) => name !== this.#ownership.column?.name) ||
      hasWord(expression, `${relation.relname}.*`)
    );
  }

  /** Values for a new row of A's that the condition is true of; undefined where it is so of a row that A has. */
  async satisfy(condition: Condition): Promise<Found | undefined> {
    const { a } = this.#members;
    const rows = await this.#rows(a);
    const none = new Map<string, never>();
    if (condition.on === 'rows') {
      for (const row of rows)
        if ((await search(this.#making, this.#table, condition, none, valuesOf(row), this.#identities)).length > 0)
          return undefined;
    }
    const rounds = Math.max(1, ...this.#table.foreignKeys.map((key) => this.#parents(key.references, a).length));
    for (let round = 0; round < (this.#isSingle() ? 0 : Math.min(rounds, 8)) && !this.isDone(); round++) {
      const base = await this.#fresh(a, round);
      if (!base) continue;
      for (const values of await this.#ask(condition, base, true)) {
        const whole = new Map([...base, ...values]);
        if (await this.#would(whole, a)) return { values, base: whole };
      }
    }
    for (const row of rows.slice(0, 4)) {
      const [values] = await this.#ask(condition, valuesOf(row), false);
      if (values) return { values, instead: row };
    }
    return undefined;
  }

  async #ask(condition: Condition, base: Values, isNew: boolean): Promise<Values[]> {
    const choices = new Map<string, readonly (string | null)[]>();
    for (const column of this.#free(condition.text, isNew))
      choices.set(column.name, (await this.#wordsFor(column, condition.text)).all);
    return search(this.#making, this.#table, condition, choices, base, this.#identities);
  }

  /** Values that stand beside columns in a text, few of each. */
  async near(text: string): Promise<Map<string, (string | null)[]>> {
    const found = new Map<string, (string | null)[]>();
    for (const column of this.#free(text, true)) {
      const { near } = await this.#wordsFor(column, text);
      if (near.length > 0) found.set(column.name, near.slice(0, 4));
    }
    return found;
  }

  /** Whether A has a row with these values. */
  async has(values: Values): Promise<boolean> {
    const rows = await this.#rows(this.#members.a);
    return rows.some((row) => [...values].every(([name, value]) => alike(row[name] ?? null, value)));
  }

  /** Makes the row A's, and one alike B's. */
  async keep({ values, instead, base }: Found): Promise<Row[]> {
    const { a } = this.#members;
    const before = new Set((await this.#rows(a)).map((row) => JSON.stringify(row)));
    if (instead) await this.#change(instead, values);
    else {
      const whole = base ?? new Map([...((await this.#fresh(a, 0)) ?? []), ...values]);
      await this.#insert(whole, a);
      await this.alike({ values });
    }
    const made = (await this.#rows(a)).filter((row) => !before.has(JSON.stringify(row)));
    this.#made += Math.max(1, made.length);
    return made;
  }

  /** Makes a row with these values B's. */
  async alike({ values }: Found): Promise<void> {
    const { b } = this.#members;
    const base = await this.#fresh(b, 0);
    if (base) await this.#insert(new Map([...base, ...values]), b);
  }

  /** Keeps what the row would be, and takes it back. */
  async spare({ values }: Found, spare: Record<'A' | 'B', Row[]>): Promise<void> {
    const { client } = this.#making;
    for (const member of [this.#members.a, this.#members.b]) {
      const base = await this.#fresh(member, 0);
      if (!base) continue;
      await client.query('savepoint suit');
      const before = new Set((await this.#rows(member)).map((row) => JSON.stringify(row)));
      await this.#insert(new Map([...base, ...values]), member);
      const [made] = (await this.#rows(member)).filter((row) => !before.has(JSON.stringify(row)));
      if (made) spare[member.name as 'A' | 'B'].push(made);
      await client.query('rollback to savepoint suit; release savepoint suit');
    }
  }

  #isSingle = () => {
    const name = this.#ownership.column?.name;
    return isTenants(this.#table, this.#ownership) || (name !== undefined && isKey(this.#table, name));
  };

  /** Columns that a text speaks of, and whose values may be chosen. */
  #free(text: string, isNew: boolean): Relation['columns'] {
    const { catalog, owners } = this.#making;
    const { foreignKeys } = this.#table;
    const ofTenants = (name: string) =>
      foreignKeys.some(({ columns, references }) => {
        const parent = catalog.relations.get(references);
        return columns.length === 1 && columns[0] === name && parent && isTenants(parent, owners.get(references));
      });
    const isKept = (name: string) =>
      !isNew && this.#table.keys[0]?.kind === 'primary' && this.#table.keys[0].columns.includes(name);
    return spokenOf(this.#table, text).filter(
      (column) =>
        column.name !== this.#ownership.column?.name &&
        !column.generated &&
        column.identity !== 'always' &&
        !isSharedColumn(column) &&
        !isKept(column.name) &&
        (ofTenants(column.name) || !foreignKeys.some(({ columns }) => columns.includes(column.name))),
    );
  }

  #wordsFor(column: Relation['columns'][number], text: string) {
    const { client, catalog, owners, seed } = this.#making;
    const { a, b } = this.#members;
    const checks = checksOf(this.#table).filter(({ columns }) => columns.includes(column.name));
    const idType = [...owners.values()].find(({ column: own }) => own)?.column?.type;
    this.#making.count += 1;
    return wordsFor(client, catalog, column, { text, checks, ids: [b.id, a.id], idType, seed, n: this.#making.count });
  }

  #fresh(member: Member, round: number): Promise<Values | undefined> {
    this.#making.count += 1;
    return chooseValues(this.#making, this.#table, member, 'full', round);
  }

  #rows(member: Member): Promise<Row[]> {
    return readRows(this.#making.client, this.#table, this.#ownership, member.id);
  }

  #parents(table: number, member: Member): readonly Row[] {
    return this.#making.rows.get(table)?.get(member.id) ?? [];
  }

  async #insert(values: Values, member: Member): Promise<boolean> {
    const { client, catalog } = this.#making;
    // Sign-up makes rows before anybody is signed in.
    for (const id of [member.id, '']) {
      await client.query(setIdentity(catalog, id) as string);
      if ((await insert(this.#making, this.#table, member, values)) === undefined) return true;
    }
    return false;
  }

  /** Whether the row could be there. */
  async #would(values: Values, member: Member): Promise<boolean> {
    const { client } = this.#making;
    await client.query('savepoint suit');
    const is = await this.#insert(values, member);
    await client.query('rollback to savepoint suit; release savepoint suit');
    return is;
  }

  async #change(row: Row, values: Values): Promise<void> {
    const { client, catalog } = this.#making;
    const id = (name: string) => client.escapeIdentifier(name);
    const set = [...values].map(
      ([name, value]) => `${id(name)} = ${value === null ? 'null' : client.escapeLiteral(value)}`,
    );
    const key = this.#table.keys[0]?.columns ?? Object.keys(row);
    const where = key.map(
      (name) =>
        `t.${id(name)}::text is not distinct from ${row[name] == null ? 'null' : client.escapeLiteral(row[name])}`,
    );
    await client.query(setIdentity(catalog, this.#members.a.id) as string);
    await attempt(client, () =>
      client.query(`update ${this.#table.sql} t set ${set.join(', ')} where ${where.join(' and ')}`),
    );
  }
}

/** Postgres writes a boolean as `true` in text, and a time in a way of its own. */
function alike(one: string | null, other: string | null): boolean {
  const time = (text: string | null) => (/^\d{4}-/.test(text ?? '') ? Date.parse(text as string) : Number.NaN);
  return one === other || time(one) === time(other);
}

const valuesOf = (row: Row): Values => new Map(Object.entries(row));
