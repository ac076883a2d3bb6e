import type { Argument, Catalog, Relation, Routine, Type } from '../catalog.ts';
import { settingsOf, tenantSettings } from '../identity.ts';
import { candidates, noHints, quoteElement } from '../seedData/columnValues.ts';
import { holding, type Row, type SeedData } from '../seedData/seedData.ts';
import { rootOf } from '../seedData/valueHints.ts';
import type { Actor, SqlAttack } from './sqlAttack.ts';
import { actorsWithoutTenant } from './withoutTenant.ts';

/** Calls every executable function and procedure with A's values, with B's values, and with hostile text. */
export function calls(catalog: Catalog, seedData: SeedData): SqlAttack[] {
  return catalog.routines
    .filter(({ executable, returns }) => executable && !/trigger$/.test(catalog.types.get(returns)?.name ?? ''))
    .flatMap((routine) => callsOf(catalog, seedData, routine));
}

/** The calls with A's values, made by A. */
export function callsWithValuesOfA(catalog: Catalog, seedData: SeedData): SqlAttack[] {
  return calls(catalog, seedData)
    .filter(({ attack }) => attack === withValuesOfA)
    .map((call) => ({ ...call, actor: { name: 'A', identity: seedData.a.id } }));
}

const withValuesOfA = "call with A's values";

function callsOf(catalog: Catalog, seedData: SeedData, routine: Routine): SqlAttack[] {
  const b: Actor = { name: 'B', identity: seedData.b.id };
  const settingsFor = (actor: Actor) => settingsOf(catalog, actor.identity, actor.settingValue);
  const call = (attack: string, values: readonly string[], actor = b): SqlAttack => ({
    table: routine.name,
    attack,
    operation: 'call',
    actor,
    statements: [
      routine.kind === 'procedure'
        ? `call ${routine.sql}(${values.join(', ')})`
        : `select * from ${routine.sql}(${values.join(', ')})`,
      `select current_user::text, ${settingsFor(actor)
        .map(([name]) => `current_setting(${quote(name)}, true)`)
        .join(', ')}`,
    ],
    stays: [catalog.role, ...settingsFor(actor).map(([, text]) => text)],
  });
  const required = routine.arguments.filter(({ hasDefault }) => !hasDefault);
  const attacks: SqlAttack[] = [];
  for (const given of required.length < routine.arguments.length
    ? [required, routine.arguments]
    : [routine.arguments]) {
    const theirs = given.map((argument) => valuesFor(catalog, seedData, argument, 'a'));
    for (const values of combine(theirs)) attacks.push(call(withValuesOfA, values));
    for (const values of combine(given.map((argument) => valuesFor(catalog, seedData, argument, 'b'))).slice(0, 4)) {
      attacks.push(call('call with its own values', values));
    }
    for (const actor of actorsWithoutTenant(seedData, catalog))
      for (const values of combine(theirs).slice(0, 2)) attacks.push(call('call without a tenant', values, actor));
  }
  // Clients can pass text only to functions of the API.
  if (routine.schema === catalog.schema) {
    const theirs = routine.arguments.map((argument) => valuesFor(catalog, seedData, argument, 'a')[0] ?? 'null');
    routine.arguments.forEach(({ type }, place) => {
      const { name } = rootOf(catalog.types, type) ?? {};
      if (!['text', 'character varying', 'name', 'citext'].includes(name ?? '')) return;
      for (const text of hostile(catalog, seedData))
        attacks.push(call('call with hostile text', theirs.with(place, quote(text))));
    });
  }
  return attacks;
}

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Texts that become SQL if a function concatenates them into a statement. */
function hostile(catalog: Catalog, { a }: SeedData): string[] {
  const becoming = settingsOf(catalog, a.id)
    .filter(([name]) => tenantSettings(catalog).includes(name))
    .map(([name, text]) => `set_config(${quote(name)}, ${quote(text)}, true)`);
  return [
    "' or true --",
    "' or '1'='1",
    "') or true --",
    '" or true --',
    'true or true',
    '%',
    "'; reset role; --",
    "'; set local role none; --",
    ...becoming.flatMap((become) => [
      `'; select ${become}; --`,
      `' || ${become} || '`,
      `" || ${become} || "`,
      `${become} is not null`,
      `$$ || ${become} || $$`,
    ]),
  ];
}

/** Literals for an argument or a column from a tenant's rows; values of similarly named columns come first. */
export function valuesFor(
  catalog: Catalog,
  seedData: SeedData,
  argument: Pick<Argument, 'name' | 'type'>,
  tenant: 'a' | 'b',
): string[] {
  const { types } = catalog;
  const type = types.get(argument.type);
  if (!type) return ['null'];
  const tables = catalog.tables.filter((table) => holding(seedData, table, tenant).rows.length > 0);
  const typed = (text: string) => `${quote(text)}${type.kind === 'pseudo' ? '::text' : `::${type.name}`}`;
  const wanted = rootOf(types, type.kind === 'array' ? (type.of as number) : argument.type);
  const found: { text: string; score: number }[] = [];
  for (const table of tables) {
    for (const column of table.columns) {
      const have = rootOf(types, column.type);
      const asText = wanted?.name === 'text' && ['uuid', 'character varying', 'citext'].includes(have?.name ?? '');
      if (have?.oid !== wanted?.oid && !asText) continue;
      for (const row of holding(seedData, table, tenant).rows) {
        const value = row[column.name];
        if (value !== null && value !== undefined)
          found.push({ text: value, score: likeness(argument.name, table, column.name) - (asText ? 1 : 0) });
      }
    }
  }
  const texts = [...new Set(found.sort((one, other) => other.score - one.score).map(({ text }) => text))].slice(0, 16);
  if (type.kind === 'array') return texts.length ? [typed(`{${texts.map(quoteElement).join(',')}}`)] : [typed('{}')];
  if (type.kind === 'composite') {
    const rows = tables.filter((table) =>
      type.attributes.every(({ name }) => table.columns.some((column) => column.name === name)),
    );
    return rows
      .flatMap((table) =>
        holding(seedData, table, tenant)
          .rows.slice(0, 2)
          .map((row) => typed(composite(type, row))),
      )
      .slice(0, 4);
  }
  if (/^jsonb?$/.test(type.name)) {
    const rows = tables.flatMap((table) => holding(seedData, table, tenant).rows.slice(0, 1));
    texts.unshift(...rows.slice(0, 4).map((row) => JSON.stringify(row)));
  }
  if (texts.length === 0)
    texts.push(...candidates(types, argument.type, -1, { seed: seedData.seed, n: 1, hints: noHints }).slice(0, 3));
  return texts.length ? texts.map(typed) : ['null'];
}

const composite = ({ attributes }: Type, row: Row) =>
  `(${attributes.map(({ name }) => (row[name] === null || row[name] === undefined ? '' : quoteElement(row[name]))).join(',')})`;

/** Scores the similarity of names: `p_list_id` resembles `id` of `lists` and any `list_id`. */
function likeness(argument: string, table: Relation, column: string): number {
  const words = (text: string) =>
    text
      .toLowerCase()
      .split('_')
      .map((word) => word.replace(/s$/, ''));
  const [wanted, table_] = [words(argument), words(table.relname)];
  const own = words(column);
  return (
    own.filter((word) => wanted.includes(word)).length * 2 +
    table_.filter((word) => wanted.includes(word)).length * 2 +
    (table.keys[0]?.columns.includes(column) ? 1 : 0)
  );
}

/** Combines the first values of all arguments, then varies one argument at a time; at most 30 calls. */
function combine(lists: readonly (readonly string[])[]): string[][] {
  let combined: string[][] = [[]];
  for (const list of lists) {
    const room = Math.max(1, Math.floor(24 / combined.length));
    combined = combined.flatMap((values) => list.slice(0, Math.min(room, 6)).map((value) => [...values, value]));
  }
  const firsts = lists.map((list) => list[0] ?? 'null');
  const varied = lists.flatMap((list, place) => list.slice(1).map((value) => firsts.with(place, value)));
  return [...new Map([...combined, ...varied].map((values) => [values.join(), values])).values()].slice(0, 30);
}
