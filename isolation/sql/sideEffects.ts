import type { Attempt, Operation } from '../attempt.ts';
import { shorten } from '../attempt.ts';
import type { Column, Relation } from '../catalog.ts';
import type { AttackSession } from './attackSession.ts';
import type { AttackTarget } from './attackTarget.ts';
import { asActor } from './judge.ts';
import type { Actor, StatementResult } from './sqlAttack.ts';

interface Observation {
  readonly of: string;
  readonly statement: string;
}

type Observed = Observation & { readonly answer: string };

/**
 * Checks that A's plain writes to its own rows change nothing that B can see, whether through a trigger, a rule, a
 * default, a view or a sequence. It needs no knowledge of row owners.
 *
 * `open` chooses the queries that succeed for B and that give the same result twice. Each check runs them after A's
 * statement and compares the results. The rows that B may read by declaration are deleted before each query.
 */
export class SideEffects {
  readonly #session: AttackSession;
  readonly #observations: readonly Observed[];

  private constructor(session: AttackSession, observations: readonly Observed[]) {
    this.#session = session;
    this.#observations = observations;
  }

  static async open(session: AttackSession): Promise<SideEffects> {
    const { catalog, client } = session;
    const readable = (relation: Relation) => relation.usage && relation.columns.some(({ select }) => select);
    const columns = (relation: Relation) =>
      relation.columns.filter(({ select }) => select).map(({ name }) => client.escapeIdentifier(name));
    const possible: Observation[] = [
      ...[...catalog.tables, ...catalog.views].filter(readable).map((relation) => ({
        of: relation.name,
        statement: `select ${columns(relation).join(', ')} from ${relation.sql}`,
      })),
      ...catalog.sequences
        .filter(({ usage, privileges }) => usage && privileges.includes('select'))
        .map(({ name, sql }) => ({ of: name, statement: `select last_value, is_called from ${sql}` })),
      ...catalog.routines
        .filter(
          ({ executable, kind, arguments: args, volatile }) =>
            executable && kind === 'function' && args.length === 0 && !volatile,
        )
        .map(({ name, sql }) => ({ of: name, statement: `select * from ${sql}()` })),
    ];
    const observations: Observed[] = [];
    for (const observation of possible) {
      const looks = [
        await session.play([observing(session, [observation])]),
        await session.play([observing(session, [observation])]),
      ];
      const [first, second] = looks.map((look) => look && text(look[0]?.[0]));
      // Skip queries that fail or whose results vary without any write.
      if (first === undefined || first !== second) continue;
      observations.push({ ...observation, answer: first });
    }
    return new SideEffects(session, observations);
  }

  /**
   * Tries A's own inserts, deletes, and updates of each column in one table. If a trigger or function mentions values
   * of a column, it tries each value on each row.
   */
  async *of(target: AttackTarget): AsyncGenerator<Attempt> {
    const { relation, a, inserted, updated, id, literal } = target;
    const [own] = a.rows;
    const name = relation.name;
    for (const row of a.insertableRows) {
      const columns = inserted.filter((column) => column.name in row && !isNumbered(column));
      const into =
        columns.length === 0
          ? 'default values'
          : `(${columns.map((column) => id(column.name)).join(', ')}) values (${columns.map((column) => literal(column.name, row[column.name] ?? null)).join(', ')})`;
      if (inserted.length > 0) yield* this.#try(name, 'insert', `insert into ${relation.sql} ${into}`);
    }
    if (!own) return;
    const witnessRows = this.#session.seedData.witnessRows.get(relation.oid);
    const rows = witnessRows && witnessRows.valueHints.size > 0 ? a.rows.slice(0, 12) : [own];
    for (const column of updated) {
      const usual =
        a.insertableRows
          .map((row) => row[column.name])
          .find((one) => one !== undefined && one !== null && one !== own[column.name]) ??
        own[column.name] ??
        null;
      for (const [at, row] of rows.entries()) {
        for (const value of [...(at === 0 ? [usual] : []), ...(witnessRows?.valueHints.get(column.name) ?? [])])
          yield* this.#try(
            name,
            'update',
            `update ${relation.sql} t set ${id(column.name)} = ${literal(column.name, value)} where ${target.where(row)}`,
          );
      }
    }
    if (relation.privileges.includes('delete')) {
      for (const row of rows)
        yield* this.#try(name, 'delete', `delete from ${relation.sql} t where ${target.where(row)}`);
    }
  }

  async *#try(table: string, operation: Operation, statement: string): AsyncGenerator<Attempt> {
    const { seedData, catalog } = this.#session;
    const attempt = {
      table,
      attack: `what B sees after A's own ${operation}`,
      operation,
      path: 'sql' as const,
      statement: `${asActor(catalog, { name: 'A', identity: seedData.a.id })}\n${statement}`,
    };
    const answers = await this.#session.play([
      { actor: { name: 'A', identity: seedData.a.id }, statements: [statement] },
      observing(this.#session, this.#observations),
    ]);
    if (!answers) {
      yield { ...attempt, answer: 'A may not do this', outcome: 'not applicable' };
      return;
    }
    const changed = this.#observations.flatMap((observation, i) => {
      const [was, is] = [observation.answer, text(answers[1]?.[i])];
      if (was === is) return [];
      return `${observation.of}: B's \`${observation.statement}\` answered ${shorten(was, 300)} before, and ${shorten(is, 300)} after`;
    });
    if (changed.length === 0)
      yield { ...attempt, answer: `B sees the same in ${this.#observations.length} places`, outcome: 'held' };
    else {
      yield {
        ...attempt,
        answer: shorten(changed.join('; ')),
        outcome: 'leaked',
        evidence: `A (${seedData.a.id}) wrote to its own rows of ${table}, and what B (${seedData.b.id}) sees changed. ${changed.join('; ')}.`,
      };
    }
  }

  /** Tries sequences that B may use. The gap between two of B's numbers reveals the number of A's inserts. */
  async *ofSequences(targets: readonly AttackTarget[]): AsyncGenerator<Attempt> {
    const { catalog, seedData } = this.#session;
    for (const sequence of catalog.sequences) {
      if (!sequence.usage || !sequence.privileges.some((privilege) => ['usage', 'update'].includes(privilege)))
        continue;
      const next = {
        actor: { name: 'B', identity: seedData.b.id },
        statements: [`select nextval('${sequence.sql.replaceAll("'", "''")}')`],
      };
      for (const { relation, a, inserted, id, literal } of targets) {
        const row = a.insertableRows[0];
        const columns = inserted.filter((column) => row && column.name in row && !isNumbered(column));
        if (!row || columns.length === 0) continue;
        const statement = `insert into ${relation.sql} (${columns.map(({ name }) => id(name)).join(', ')}) values (${columns.map(({ name }) => literal(name, row[name] ?? null)).join(', ')})`;
        const answers = await this.#session.play([
          next,
          { actor: { name: 'A', identity: seedData.a.id }, statements: [statement] },
          next,
        ]);
        if (!answers) continue;
        const [first, last] = [answers[0], answers[2]].map((answer) => Number(answer?.[0]?.rows[0]?.[0]));
        const attempt = {
          table: relation.name,
          attack: 'count by a sequence',
          operation: 'other' as const,
          path: 'sql' as const,
          statement: `-- as B, before and after A's insert\n${next.statements[0]}`,
          answer: `${first}, then ${last}`,
        };
        const step = await this.#session.play([next, next]);
        const [one, two] = (step ?? []).map((answer) => Number(answer[0]?.rows[0]?.[0]));
        if ((last ?? 0) - (first ?? 0) === (two ?? 0) - (one ?? 0)) yield { ...attempt, outcome: 'held' };
        else
          yield {
            ...attempt,
            outcome: 'leaked',
            evidence: `B may use ${sequence.name}, which A's inserts use, too. B took ${first}, A (${seedData.a.id}) inserted a row into ${relation.name}, and B's next number was ${last} instead of ${(first ?? 0) + 1}: B counts what A writes.`,
          };
      }
    }
  }
}

const observing = (
  { seedData }: AttackSession,
  observations: readonly Observation[],
): { actor: Actor; statements: string[]; withoutShared: true } => ({
  actor: { name: 'B', identity: seedData.b.id },
  statements: observations.map(({ statement }) => statement),
  withoutShared: true as const,
});

/** Whether the column's default comes from a sequence. */
const isNumbered = ({ identity, default: text }: Column) => identity !== null || text?.includes('nextval(') === true;

const text = (result: StatementResult | undefined) =>
  (result?.rows ?? [])
    .map((row) => `(${row.map((value) => value ?? 'null').join(', ')})`)
    .sort()
    .join(' ') || 'no rows';
