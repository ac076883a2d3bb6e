import { type Attempt, shorten } from '../attempt.ts';
import type { Catalog, Relation } from '../catalog.ts';
import { settingValue } from '../identity.ts';
import { holding, type Row, type SeedData } from '../seedData/seedData.ts';
import { nameOf } from './attackSession.ts';
import { type Actor, describe, type SqlAnswer, type SqlAttack } from './sqlAttack.ts';

/** The comparable parts of an answer. Rows are sorted, so that their order does not matter. */
function essence({ code, message, results, own }: SqlAnswer): string[][] {
  return [
    [code ?? '', message ?? ''],
    ...results.map(({ command, count, rows }) => [
      command,
      String(count),
      ...rows.map((row) => JSON.stringify(row)).sort(),
    ]),
    [...own].sort(),
  ];
}

/** Whether two answers are equal, apart from the order of rows. */
export function isSame(one: SqlAnswer, other: SqlAnswer): boolean {
  return JSON.stringify(essence(one)) === JSON.stringify(essence(other));
}

/**
 * Whether the answers with and without A's rows differ in a part that does not differ between two runs with A's rows.
 * Times, random ids and sequence numbers differ between any two runs.
 *
 * @param answer the first answer with A's rows.
 * @param again the second answer with A's rows.
 * @param without the answer without A's rows.
 */
export function differs(answer: SqlAnswer, again: SqlAnswer, without: SqlAnswer): boolean {
  const [one, two, other] = [answer, again, without].map((each) =>
    JSON.stringify(essence(each)).split(/(?<![\w-])|(?![\w-])/),
  );
  if (!one || !two || !other) return false;
  if (one.length !== two.length) return answer.code !== without.code && answer.code === again.code;
  if (one.length !== other.length) return true;
  return one.some((part, i) => part === two[i] && part !== other[i]);
}

/** Judges an attack by its answers with and without A's rows. */
export function judge(
  catalog: Catalog,
  seedData: SeedData,
  attack: SqlAttack,
  answer: SqlAnswer,
  without: SqlAnswer,
  isDifferent: boolean,
): Attempt {
  const { actor, table, operation } = attack;
  const attempt = {
    table,
    attack: attack.attack,
    operation,
    path: 'sql' as const,
    statement: `${asActor(catalog, actor)}\n${attack.statements.join(';\n')}`,
    answer: shorten(describe(answer)),
  };
  const leaked = (evidence: string): Attempt => ({
    ...attempt,
    outcome: 'leaked',
    evidence: `${shorten(evidence, 1200)}${witnessReasons(catalog, seedData, evidence)}`,
  });
  if (answer.code === undefined && attack.mustFail) {
    const rows = catalog.tables
      .filter(({ name }) => name === table)
      .flatMap((one) => holding(seedData, one, 'a').rows.map((row) => nameOf(one, row)));
    return leaked(
      `It succeeded: ${attack.mustFail} A is ${seedData.a.id}; A's rows were ${rows.join('; ') || 'none'}.`,
    );
  }
  if (answer.harm.length > 0) {
    return leaked(
      `${actor.name} wrote to what belongs to A (${seedData.a.id}). Read back with row-level security bypassed: ${answer.harm.join('; ')}.`,
    );
  }
  const found = answer.results.reduce((sum, { count }) => sum + (count ?? 0), 0);
  if (attack.mustFindNothing !== undefined && found > 0) {
    const verb = operation === 'select' ? 'saw' : 'wrote to';
    const where = actor.name === 'B' ? '' : ` in A's group (${seedData.a.id})`;
    return leaked(`${actor.name}${where} ${verb} ${found} rows. ${attack.mustFindNothing}`);
  }
  if (attack.isOfA) return { ...attempt, outcome: 'held' };
  if (attack.arePlans) {
    // Not compared with the answer without A's rows, because every plan reveals the size of the table.
    const [known, unknown] = answer.results.filter(({ rows }) => rows.length > 0).map(rowsExpected);
    if (known === unknown) return { ...attempt, outcome: 'held' };
    return leaked(
      `The planner expects ${known} rows for A's value, and ${unknown} for a value that no tenant has. A is ${seedData.a.id}.`,
    );
  }
  const last = answer.results.at(-1)?.rows[0];
  if (attack.stays && answer.code === undefined && last?.join() !== attack.stays.join()) {
    return leaked(
      `The transaction's identity changed: role and settings were ${attack.stays.join(', ')} and are ${last?.map((value) => value ?? 'null').join(', ')}. A is ${seedData.a.id}.`,
    );
  }
  // On every table, Postgres' MERGE raises an error for a hidden row that it reaches, instead of skipping it.
  const isRefusedMerge =
    answer.code === '42501' && /^target row violates row-level security/.test(answer.message ?? '');
  // A policy reads the setting only if there is a row to check, so an error about an invalid id reveals no content.
  const isNoIdentity = actor.identity !== seedData.b.id && [answer.code, without.code].some((code) => code === '22P02');
  const isUserNamed =
    answer.code === undefined && without.code === '23503' && seedData.sharing.namesUser(without.refusedBy ?? '');
  if (!isDifferent || isRefusedMerge || isNoIdentity || isUserNamed) return { ...attempt, outcome: 'held' };
  const from = (one: SqlAnswer) => ({ ...one, results: one.results.slice(attack.seenFrom ?? 0) });
  const seen = seenRows(catalog, seedData, attack, from(answer), from(without));
  const comparison = `With A's rows there the answer is: ${shorten(describe(answer), 400)}. With A's rows removed, the same statement answers: ${shorten(describe(without), 400)}.`;
  if (seen.length > 0)
    return leaked(`${actor.name} saw what belongs to A (${seedData.a.id}): ${seen.join('; ')}. ${comparison}`);
  if (attack.seenFrom !== undefined) return { ...attempt, outcome: 'held' };
  if (answer.own.join() !== without.own.join() && describe(answer) === describe(without)) {
    const extra = answer.own.filter((row) => !without.own.includes(row));
    return leaked(
      `What ${actor.name} has afterwards depends on A's rows (A is ${seedData.a.id}). With them: ${extra.join(' ')}. Without them: ${without.own.filter((row) => !answer.own.includes(row)).join(' ')}.`,
    );
  }
  const own =
    answer.code === undefined && answer.own.length > 0 ? ` ${actor.name} now has: ${answer.own.join(' ')}.` : '';
  return leaked(`${actor.name} can tell that A (${seedData.a.id}) has this row. ${comparison}${own}`);
}

/** An SQL comment that names the actor. */
export function asActor(catalog: Catalog, { name, identity, settingValue: value, set = {} }: Actor): string {
  if (identity === null) return `-- as ${name}`;
  const settings = { [catalog.setting]: value ?? settingValue(catalog, identity), ...set };
  return `-- as ${name}, ${Object.entries(settings)
    .map(([setting, text]) => `${setting} = '${text}'`)
    .join(', ')}`;
}

const rowsExpected = ({ rows }: SqlAnswer['results'][number]) => /\brows=(\d+)/.exec(rows[0]?.[0] ?? '')?.[1];

/** For A's witness rows in the evidence, names the conditions that they satisfy. */
function witnessReasons(catalog: Catalog, seedData: SeedData, evidence: string): string {
  const reasons = catalog.tables.flatMap((table) => {
    const why = seedData.witnessRows.get(table.oid)?.why;
    if (!why?.size) return [];
    return holding(seedData, table, 'a').rows.flatMap((row) => {
      const reason = why.get(JSON.stringify(row));
      const isNamed = evidence.includes(nameOf(table, row)) || idsOf(table, row).some((id) => evidence.includes(id));
      return reason && isNamed ? [`A's row ${nameOf(table, row)} was generated to satisfy ${reason}.`] : [];
    });
  });
  return reasons.length > 0 ? ` ${[...new Set(reasons)].slice(0, 2).join(' ')}` : '';
}

/** A's rows whose values appear in the answer, but neither in the statement nor in the answer without A's rows. */
function seenRows(
  catalog: Catalog,
  seedData: SeedData,
  attack: SqlAttack,
  answer: SqlAnswer,
  without: SqlAnswer,
): string[] {
  const text = (one: SqlAnswer) => JSON.stringify([one.message, one.results.map(({ rows }) => rows), one.own]);
  const [here, there] = [text(answer), text(without)];
  const seen: string[] = [];
  const look = (table: Relation) => {
    for (const row of holding(seedData, table, 'a').rows) {
      const values = Object.entries(row).filter(
        ([, value]) =>
          value !== null &&
          value.length >= 4 &&
          value !== seedData.a.id &&
          contains(here, value) &&
          !contains(there, value),
      );
      const guessed = values.filter(
        ([, value]) => !attack.statements.some((statement) => statement.includes(value as string)),
      );
      if (guessed.length)
        seen.push(
          `row ${nameOf(table, row)}: ${guessed
            .slice(0, 4)
            .map(([name, value]) => `${name} = ${value}`)
            .join(', ')}`,
        );
    }
  };
  for (const table of catalog.tables) if (table.name === attack.table) look(table);
  if (seen.length === 0) for (const table of catalog.tables) look(table);
  return seen.slice(0, 3);
}

/** The values of a row's key that no other row is likely to have. */
const idsOf = (table: Relation, row: Row) =>
  (table.keys.find(({ kind }) => kind === 'primary')?.columns ?? []).flatMap((name) => {
    const value = row[name] ?? '';
    return value.length >= 30 && !table.foreignKeys.some(({ columns }) => columns.includes(name)) ? [value] : [];
  });

const contains = (text: string, value: string) => text.includes(JSON.stringify(value).slice(1, -1));
