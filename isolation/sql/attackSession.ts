import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { type Catalog, type Relation, refreshed } from '../catalog.ts';
import { setIdentity } from '../identity.ts';
import type { Ownership } from '../ownership.ts';
import { type Row, readRows, type SeedData } from '../seedData/seedData.ts';
import { inDependencyOrder } from '../seedData/tableOrder.ts';
import type { Actor, SqlAnswer, SqlAttack, StatementResult } from './sqlAttack.ts';

interface Owned {
  readonly table: Relation;
  readonly ownership: Ownership;
}

const raw = { getTypeParser: () => (value: unknown) => value } as unknown as pg.CustomTypesConfig;

export interface AttackSessionOptions {
  /** The role that the server logs in as. If the client is a superuser, the attacks run in this role's session. */
  readonly login?: string | undefined;
}

/**
 * Runs attacks on one connection, in its open transaction.
 *
 * States: `open` reads A's and B's rows and their fingerprints, then sets the savepoint `attack`. Each attack runs from
 * that savepoint and is rolled back to it. Only the fingerprints of the tables that it has written to are compared. `withoutA` deletes A's rows and sets a nested savepoint `attack`; when its
 * work has finished, it restores the rows and the fingerprints.
 */
export class AttackSession {
  readonly client: pg.ClientBase;
  readonly catalog: Catalog;
  readonly seedData: SeedData;
  readonly #login: string | undefined;
  readonly #owned: readonly Owned[];
  /** Statements that disable and enable triggers and foreign keys; empty if the role may not do so. */
  #suppressTriggers: { readonly start: readonly string[]; readonly end: readonly string[] } = { start: [], end: [] };
  #counterQuery: readonly string[] = [];
  #fingerprints = new Map<string, string>();
  #rowsOfA = new Map<number, readonly Row[]>();
  /** The rows of A that a user may write by declaration, by `oid user`. */
  readonly #writableRows = new Map<string, Pick<Allowed, 'changed' | 'removed'>>();
  #rowsOfB = new Map<number, ReadonlySet<string>>();

  private constructor(client: pg.ClientBase, catalog: Catalog, seedData: SeedData, login: string | undefined) {
    this.client = client;
    this.catalog = catalog;
    this.seedData = seedData;
    this.#login = login;
    this.#owned = inDependencyOrder(catalog.tables).flatMap((table) => {
      const ownership = seedData.owners.get(table.oid);
      return ownership && ['own', 'parent'].includes(ownership.kind) ? [{ table, ownership }] : [];
    });
  }

  /**
   * @param client in a transaction, as a role that bypasses row-level security.
   * @throws UsageError if the session cannot assume the tenants' role.
   */
  static async open(
    client: pg.ClientBase,
    catalog: Catalog,
    seedData: SeedData,
    { login }: AttackSessionOptions,
  ): Promise<AttackSession> {
    const { rows } = await client.query(
      `select rolsuper and exists (select from pg_roles where rolname = $1) as may from pg_roles where rolname = session_user`,
      [login ?? ''],
    );
    const session = new AttackSession(client, catalog, seedData, rows[0]?.may ? login : undefined);
    await session.#requireRole();
    if (await maySuppressTriggers(client)) {
      session.#suppressTriggers = {
        start: ['set local session_replication_role = replica'],
        end: ['set local session_replication_role = origin'],
      };
    }
    if (session.#owned.length > 0 && (await countsRows(client))) {
      // Runs after every attack, so it is planned only once.
      await client.query(`${deallocateCounters}; prepare isolation_counters as ${session.#selectCounters()}`);
      session.#counterQuery = ['execute isolation_counters'];
    }
    session.#fingerprints = await session.#takeFingerprints();
    for (const { table, ownership } of session.#owned) {
      session.#rowsOfA.set(table.oid, await readRows(client, table, ownership, seedData.a.id));
      session.#rowsOfB.set(
        table.oid,
        new Set((await readRows(client, table, ownership, seedData.b.id)).map((row) => JSON.stringify(row))),
      );
    }
    await session.#readWritableRows();
    // Every attack is rolled back to this savepoint.
    await client.query('savepoint attack');
    return session;
  }

  /** The login role, if the attacks run in its session. SET ROLE and RESET ROLE then work as on the server. */
  get login(): string | undefined {
    return this.#login;
  }

  /** Whether the session can disable triggers and foreign keys. */
  get canSuppressTriggers(): boolean {
    return this.#suppressTriggers.start.length > 0;
  }

  /** Runs the steps in order and rolls all of them back; undefined if one fails. */
  async play(
    steps: readonly { readonly actor: Actor; readonly statements: readonly string[]; readonly withoutShared?: true }[],
  ): Promise<StatementResult[][] | undefined> {
    const views = steps.length > 1 ? refreshed(this.catalog) : [];
    const parts = steps.map(({ actor, statements, withoutShared }) => ({
      before: [...(withoutShared ? this.#removeShared(actor) : []), ...this.#become(actor)],
      statements,
      after: ['set constraints all immediate', ...this.#end, ...views],
    }));
    await this.client.query('savepoint play');
    try {
      const answers = await this.#send(parts.flatMap((part) => [...part.before, ...part.statements, ...part.after]));
      let next = 0;
      return parts.map(({ before, statements, after }) => {
        const from = next + before.length;
        next = from + statements.length + after.length;
        return answers.slice(from, from + statements.length);
      });
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error;
      return undefined;
    } finally {
      await this.client.query('rollback to savepoint play; release savepoint play');
    }
  }

  /** Runs one attack. It sends all statements in one message to avoid round trips. */
  async run(attack: SqlAttack): Promise<SqlAnswer> {
    const { actor, statements, prepare = [], operation, withoutTriggers } = attack;
    const { client } = this;
    const isCompared = operation !== 'select' && !attack.preparesA;
    const before = [
      ...(isCompared ? this.#counterQuery : []),
      ...(prepare.length ? [...this.#suppressTriggers.start, ...prepare, ...this.#suppressTriggers.end] : []),
      ...(withoutTriggers ? this.#suppressTriggers.start : []),
      ...this.#become(actor),
    ];
    const look = isCompared ? [...this.#end, ...this.#counterQuery] : [];
    try {
      const answers = await this.#send([...before, ...statements, 'set constraints all immediate', ...look]);
      const results = answers.slice(before.length, before.length + statements.length);
      if (!isCompared) return { results, harm: [], own: [] };
      return { results, ...(await this.#compare(actor, this.#written(answers[0], answers.at(-1)))) };
    } catch (error) {
      const { code, message, table, constraint, column, where, detail } = error as pg.DatabaseError;
      if (code === undefined) throw error;
      const context = [detail, where].filter(Boolean).join('\n');
      return {
        code,
        message,
        ...(table !== undefined &&
          (constraint ?? column) !== undefined && { refusedBy: `${table}.${constraint ?? column}` }),
        ...(context !== '' && { context }),
        results: [],
        harm: [],
        own: [],
      };
    } finally {
      await client.query('rollback to savepoint attack');
    }
  }

  /** The key of readers for whom the same rows of A are deleted. */
  readerOf({ identity }: Actor): string {
    return this.seedData.sharing.dependsOnUser ? (identity ?? '') : this.seedData.b.id;
  }

  /**
   * Deletes A's rows, runs `work`, and restores the rows.
   *
   * @param reader a user who may read some rows of A by declaration. These rows stay.
   */
  async withoutA<Result>(reader: string, work: () => Promise<Result>): Promise<Result> {
    const { client, catalog, seedData } = this;
    const removals = [...this.#owned]
      .reverse()
      .map(
        ({ table, ownership }) =>
          `delete from ${table.sql} t where ${ownership.sql('t')} = ${client.escapeLiteral(seedData.a.id)}${this.#except(table, reader)}`,
      );
    const fingerprints = this.#fingerprints;
    await client.query('savepoint without_a');
    try {
      await client.query(
        [...this.#suppressTriggers.start, ...removals, ...this.#suppressTriggers.end, ...refreshed(catalog)].join('; '),
      );
      this.#fingerprints = await this.#takeFingerprints();
      await client.query('savepoint attack');
      return await work();
    } finally {
      this.#fingerprints = fingerprints;
      await client.query('rollback to savepoint without_a; release savepoint without_a');
    }
  }

  /** Statements that delete the rows of A that the actor may read by declaration. */
  #removeShared({ identity }: Actor): string[] {
    const { client, catalog, seedData } = this;
    const removals = [...this.#owned].reverse().flatMap(({ table, ownership }) => {
      const condition = seedData.sharing.readable(table, 't', identity ?? '');
      if (condition === 'false') return [];
      return `delete from ${table.sql} t where ${ownership.sql('t')} = ${client.escapeLiteral(seedData.a.id)} and ${condition}`;
    });
    if (removals.length === 0) return [];
    return [...this.#suppressTriggers.start, ...removals, ...this.#suppressTriggers.end, ...refreshed(catalog)];
  }

  #except(table: Relation, reader: string): string {
    const condition = this.seedData.sharing.readable(table, 't', reader);
    return condition === 'false' ? '' : ` and not coalesce(${condition}, false)`;
  }

  /** The rows of A that a user may write, or delete, by declaration, as JSON. */
  async #rowsWithin(table: Relation, ownership: Ownership, user: string, right: 'writable' | 'removable') {
    const condition = this.seedData.sharing[right](table, 't', user);
    if (condition === 'false') return new Set<string>();
    const rows = await readRows(this.client, table, ownership, this.seedData.a.id, condition);
    return new Set(rows.map((row) => JSON.stringify(row)));
  }

  async #readWritableRows(): Promise<void> {
    const { b, c, nobody } = this.seedData;
    for (const { table, ownership } of this.#owned) {
      if (this.seedData.sharing.removable(table, 't', '') === 'false') continue;
      for (const user of [b.id, c.id, nobody, ''])
        this.#writableRows.set(`${table.oid} ${user}`, {
          changed: await this.#rowsWithin(table, ownership, user, 'writable'),
          removed: await this.#rowsWithin(table, ownership, user, 'removable'),
        });
    }
  }

  /** Without the tenants' role, Postgres would refuse every attack, and the run would prove nothing. */
  async #requireRole(): Promise<void> {
    const { client, catalog, seedData } = this;
    await client.query('savepoint role');
    try {
      await client.query(this.#become({ name: 'A', identity: seedData.a.id }).join('; '));
    } catch (error) {
      throw new UsageError(
        `The attacks cannot assume the role ${catalog.role}: ${(error as Error).message}. Grant the role to the role that --database-url connects as.`,
      );
    } finally {
      await client.query('rollback to savepoint role; release savepoint role');
    }
  }

  get #end(): string[] {
    return this.#login ? ['reset session authorization', 'reset role'] : ['reset role'];
  }

  #become({ identity, role, settingValue, set }: Actor): string[] {
    const { client, catalog } = this;
    const login = this.#login;
    const become = role ?? catalog.role;
    return [
      ...(login && role !== undefined && role !== login
        ? []
        : login
          ? [`set local session authorization ${client.escapeIdentifier(login)}`]
          : []),
      ...(become === login ? [] : [`set local role ${client.escapeIdentifier(become)}`]),
      ...[setIdentity({ ...catalog, set: { ...catalog.set, ...set } }, identity, settingValue)].filter(
        (statement) => statement !== undefined,
      ),
    ];
  }

  async #send(statements: readonly string[]): Promise<StatementResult[]> {
    const answer = (await this.client.query({ text: statements.join(';\n'), rowMode: 'array', types: raw })) as unknown;
    const results = (Array.isArray(answer) ? answer : [answer]) as pg.QueryArrayResult<(string | null)[]>[];
    return results.map(({ command, rowCount, rows }) => ({ command, count: rowCount, rows }));
  }

  /** One counter for each owned table. It changes with each written row, and with TRUNCATE. */
  #selectCounters(): string {
    const oids = this.#owned.map(({ table }) => table.oid);
    const counts = ['inserted', 'updated', 'deleted'].map((what) => `pg_stat_get_xact_tuples_${what}(t.oid)`);
    return `select string_agg((${counts.join(' + ')})::text || ' ' || coalesce(pg_relation_filenode(t.oid)::text, ''), ',' order by t.place)
      from unnest('{${oids.join(',')}}'::oid[]) with ordinality t (oid, place)`;
  }

  /** The tables whose counters differ, with the tables of which they are partitions. */
  #written(before: StatementResult | undefined, after: StatementResult | undefined): Owned[] {
    if (this.#counterQuery.length === 0) return [...this.#owned];
    const [was, is] = [before, after].map((result) => (result?.rows[0]?.[0] ?? '').split(','));
    const written = new Set<number>();
    for (const [at, { table }] of this.#owned.entries()) {
      if (was?.[at] === is?.[at] && table.kind !== 'foreign table') continue;
      for (let one: Relation | undefined = table; one; one = this.catalog.relations.get(one.parent ?? 0))
        written.add(one.oid);
    }
    return this.#owned.filter(({ table }) => written.has(table.oid));
  }

  async #takeFingerprints(tables: readonly Owned[] = this.#owned): Promise<Map<string, string>> {
    if (tables.length === 0) return new Map();
    const { client } = this;
    const { a, b } = this.seedData;
    const selects = tables.map(({ table, ownership }) => {
      const owner = ownership.sql('t');
      return `select ${client.escapeLiteral(String(table.oid))}, ${owner}, count(*)::text || ':' || sum(hashtextextended(t::text, 0)::numeric)
        from ${table.sql} t where ${owner} in (${client.escapeLiteral(a.id)}, ${client.escapeLiteral(b.id)}) group by 2`;
    });
    return fingerprintsOf((await this.#send([selects.join(' union all ')])).at(-1));
  }

  /** Compares the rows with those before the attack: sentences for A's rows, JSON for B's. */
  async #compare({ identity }: Actor, written: readonly Owned[]): Promise<Pick<SqlAnswer, 'harm' | 'own'>> {
    const now = await this.#takeFingerprints(written);
    const differs = (table: Relation, owner: string) =>
      now.get(`${table.oid} ${owner}`) !== this.#fingerprints.get(`${table.oid} ${owner}`);
    const harm: string[] = [];
    const own: string[] = [];
    const { a, b } = this.seedData;
    for (const { table, ownership } of written) {
      if (differs(table, a.id)) {
        const [rows, allowed] = [
          await readRows(this.client, table, ownership, a.id),
          await this.#rowsWithin(table, ownership, identity ?? '', 'writable'),
        ];
        const before =
          this.#writableRows.get(`${table.oid} ${identity ?? ''}`) ?? this.#writableRows.get(`${table.oid} `);
        harm.push(
          ...compareRows(table, this.#rowsOfA.get(table.oid) ?? [], rows, {
            ...before,
            added: allowed,
          }),
        );
      }
      if (differs(table, b.id)) {
        const before = this.#rowsOfB.get(table.oid);
        const now = (await readRows(this.client, table, ownership, b.id)).map((row) => JSON.stringify(row));
        own.push(
          ...now.filter((row) => !before?.has(row)).map((row) => `${table.name} ${row}`),
          `${table.name} ${now.length} rows`,
        );
      }
    }
    return { harm, own };
  }
}

/** Deallocates only this statement, because the connection may have other prepared statements. */
const deallocateCounters = `do $$ begin
  if exists (select from pg_catalog.pg_prepared_statements where name = 'isolation_counters') then deallocate isolation_counters; end if;
end $$`;

/** Fingerprints by table and owner. */
const fingerprintsOf = (result: StatementResult | undefined) =>
  new Map(result?.rows.map(([table, owner, print]) => [`${table} ${owner}`, print as string]));

/** Whether Postgres counts written rows. Without its counters, all tables are compared. */
async function countsRows(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query(`select current_setting('track_counts')::boolean as on`);
  return rows[0].on;
}

async function maySuppressTriggers(client: pg.ClientBase): Promise<boolean> {
  await client.query('savepoint quiet');
  try {
    await client.query('set local session_replication_role = replica');
    return true;
  } catch {
    return false;
  } finally {
    await client.query('rollback to savepoint quiet; release savepoint quiet');
  }
}

/** A row's name for display: its primary key, or else its first three columns. */
export function nameOf(table: Relation, row: Row): string {
  const key =
    table.keys.find(({ kind }) => kind === 'primary')?.columns ?? table.columns.slice(0, 3).map(({ name }) => name);
  return `${table.name} (${key.map((name) => `${name} ${row[name] ?? 'null'}`).join(', ')})`;
}

/** Rows of A, as JSON, that a user may change, remove or add by declaration. */
interface Allowed {
  readonly changed: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
  readonly added: ReadonlySet<string>;
}

function compareRows(
  table: Relation,
  before: readonly Row[],
  after: readonly Row[],
  { changed, removed, added }: Partial<Allowed>,
): string[] {
  const key = table.keys.find(({ kind }) => kind === 'primary')?.columns ?? [];
  const same = (one: Row, other: Row) => key.length > 0 && key.every((name) => one[name] === other[name]);
  const text = (row: Row) => JSON.stringify(row);
  const gone = [...before];
  const fresh: Row[] = [];
  for (const row of after) {
    const index = gone.findIndex((one) => text(one) === text(row));
    if (index >= 0) gone.splice(index, 1);
    else fresh.push(row);
  }
  return [
    ...gone.flatMap((row) => {
      const now = fresh.find((one) => same(one, row));
      if (!now) return removed?.has(text(row)) ? [] : `A's row ${nameOf(table, row)} is gone`;
      fresh.splice(fresh.indexOf(now), 1);
      if (changed?.has(text(row))) return [];
      const changes = Object.keys(row).filter((name) => row[name] !== now[name]);
      return `A's row ${nameOf(table, row)} was changed: ${changes.map((name) => `${name} was ${row[name] ?? 'null'} and is ${now[name] ?? 'null'}`).join(', ')}`;
    }),
    ...fresh
      .filter((row) => !added?.has(text(row)))
      .map((row) => `A has a row that A did not write, ${nameOf(table, row)}: ${JSON.stringify(row)}`),
  ];
}
