import fc from 'fast-check';
import type pg from 'pg';
import type { Catalog, Column, Relation, Type } from '../catalog.ts';
import { type CheckHints, candidates } from './columnValues.ts';

/** A check on some columns of a table. Its expression refers to them by name. */
export interface Check {
  readonly expression: string;
  readonly columns: readonly string[];
}

/** The checks of a table, including a partition's bounds, but not the checks of domains. */
export function checksOf(table: Relation): Check[] {
  const expressions = table.checks.map(({ expression }) => expression);
  if (table.partitionConstraint) expressions.push(table.partitionConstraint);
  return expressions.map((expression) => {
    // A name in a string literal is not a column.
    const words = new Set(expression.replaceAll(/'(?:[^']|'')*'/g, "''").match(/"(?:[^"]|"")+"|[a-z_][\w$]*/gi));
    const columns = table.columns.map(({ name }) => name);
    return {
      expression,
      columns: columns.filter((name) => words.has(name) || words.has(`"${name.replaceAll('"', '""')}"`)),
    };
  });
}

const literal = /(!?~~?\*?\s*(?:\(?ALL |\(?ANY )?\(*(?:ARRAY\[)?)?(?:E)?'((?:[^']|'')*)'/g;

/** Extracts the texts and numbers of expressions. For a regular expression, it generates texts that match. */
function extractHints(expressions: readonly string[], seed: number): CheckHints {
  const texts = new Set<string>();
  const numbers = new Set<number>();
  for (const expression of expressions) {
    for (const [, operator = '', quoted = ''] of expression.matchAll(literal)) {
      const text = quoted.replaceAll("''", "'");
      if (/~/.test(operator) && !/~~/.test(operator)) for (const match of matching(text, seed)) texts.add(match);
      else texts.add(text);
      if (text !== '' && Number.isFinite(Number(text))) numbers.add(Number(text));
    }
    const bare = expression.replaceAll(/'(?:[^']|'')*'/g, "''").replaceAll(/"(?:[^"]|"")+"/g, '');
    for (const [number] of bare.matchAll(/(?<![\w.])\d+(?:\.\d+)?(?![\w.])/g)) numbers.add(Number(number));
  }
  return { texts: [...texts].slice(0, 60), numbers: [...numbers].slice(0, 20) };
}

/** Generates texts that match a Postgres regular expression; none if JavaScript cannot compile it. */
function matching(pattern: string, seed: number): string[] {
  const classes: Record<string, string> = {
    alpha: 'a-zA-Z',
    digit: '0-9',
    alnum: 'a-zA-Z0-9',
    upper: 'A-Z',
    lower: 'a-z',
    space: ' ',
    xdigit: '0-9a-f',
    punct: '.,:;!?',
  };
  const javascript = pattern
    .replaceAll(/\[:(\w+):\]/g, (_, name) => classes[name] ?? '')
    .replaceAll(/\\m|\\M|\\y/g, '\\b')
    .replace(/^\(\?[a-z]+\)/, '')
    .replaceAll('\\A', '^')
    .replaceAll('\\Z', '$');
  try {
    const generator = generators.get(javascript) ?? fc.stringMatching(new RegExp(javascript));
    generators.set(javascript, generator);
    return fc.sample(generator, { seed, numRuns: 12 }).filter((text) => !text.includes('\0'));
  } catch {
    return [];
  }
}

/** Generators by pattern, cached because compiling one costs more than using it. */
const generators = new Map<string, fc.Arbitrary<string>>();

/** The checks of a domain and its base domains, in which `VALUE` stands for the value. */
function domainChecks(types: ReadonlyMap<number, Type>, type: number): string[] {
  const known = types.get(type);
  if (known?.kind === 'domain') return [...known.checks, ...domainChecks(types, known.of as number)];
  return known?.kind === 'array'
    ? domainChecks(types, known.of as number)
    : (known?.attributes.flatMap((a) => domainChecks(types, a.type)) ?? []);
}

const isPlain = /^(text|character varying|bpchar|uuid|boolean|smallint|integer|bigint|numeric|bytea)$/;

/** Candidate values for a column, as text, best first. Postgres confirms that the type accepts them. */
export async function columnCandidates(
  client: pg.ClientBase,
  { types }: Catalog,
  column: Column,
  checks: readonly Check[],
  { seed, n }: { seed: number; n: number },
): Promise<string[]> {
  const expressions = [...checks.map(({ expression }) => expression), ...domainChecks(types, column.type)];
  const found = candidates(types, column.type, column.modifier, {
    seed,
    n,
    hints: extractHints(expressions, seed + n),
  });
  const type = types.get(column.type);
  // Candidates for a plain type are always valid. For other types, such as dates, a text from a check may be invalid.
  if (type?.kind === 'base' && (expressions.length === 0 || isPlain.test(type.name)))
    return [...new Set(found)].slice(0, 400);
  return accepts(client, [...new Set(found)].slice(0, 400), types.get(column.type)?.name as string);
}

/** Returns the texts that the type accepts. */
export async function accepts(client: pg.ClientBase, texts: readonly string[], type: string): Promise<string[]> {
  const all = await inSavepoint(client, () =>
    client.query<{ text: string }>(
      'select t.text from unnest($1::text[]) with ordinality t(text, place) where pg_input_is_valid(t.text, $2) order by t.place',
      [texts, type],
    ),
  );
  if (all) return all.rows.map(({ text }) => text);
  // pg_input_is_valid() needs Postgres 16. Older versions cast one value at a time.
  const accepted: string[] = [];
  for (const text of texts) {
    if (await inSavepoint(client, () => client.query(`select ${client.escapeLiteral(text)}::${type}`)))
      accepted.push(text);
  }
  return accepted;
}

/**
 * Chooses a value for each column so that all checks hold. Postgres evaluates the checks over the combinations of the
 * columns' candidate values.
 *
 * @param fixed values that are already chosen, for other columns that the checks mention.
 * @param skip the number of valid combinations to skip, for a row that differs from earlier ones.
 * @returns undefined if no combination satisfies the checks.
 */
export async function solve(
  client: pg.ClientBase,
  catalog: Catalog,
  table: Relation,
  checks: readonly Check[],
  choices: ReadonlyMap<string, readonly (string | null)[]>,
  fixed: ReadonlyMap<string, string | null>,
  skip: number,
): Promise<Map<string, string | null> | undefined> {
  const { types } = catalog;
  const columns = [...choices.keys()];
  const id = (name: string) => client.escapeIdentifier(name);
  const typeOf = (name: string) => types.get(table.columns.find((column) => column.name === name)?.type ?? 0)?.name;
  const values = (list: readonly (string | null)[]) =>
    list.map((value) => (value === null ? 'null' : client.escapeLiteral(value))).join(', ');
  const shown = [
    ...columns.map((name, i) => `c${i}.v::${typeOf(name)} as ${id(name)}`),
    ...[...fixed].map(([name, value]) => `${values([value])}::${typeOf(name)} as ${id(name)}`),
  ];
  // A text or label keeps its first candidate, which differs from row to row, and numbers and times adapt to it.
  // Therefore texts and labels weigh more in the order.
  const weighsMore = (name: string) =>
    !/^(smallint|integer|bigint|numeric|real|double precision|date|time|interval)/.test(typeOf(name) ?? '');
  const search = (lists: readonly (readonly (string | null)[])[], offset: number) =>
    inSavepoint(client, () =>
      client.query<(string | null)[]>({
        text: `select ${columns.map((_, i) => `c${i}.v`).join(', ')}
          from ${lists.map((list, i) => `unnest(array[${values(list)}]::text[]) with ordinality as c${i}(v, place)`).join(', ')},
            lateral (select ${shown.join(', ')} offset 0) as ${id(table.relname)}
          where ${checks.map(({ expression }) => `(${expression}) is not false`).join(' and ')}
          order by ${columns.map((name, i) => `c${i}.place${weighsMore(name) ? ' * 100' : ''}`).join(' + ')} offset ${offset} limit 1`,
        rowMode: 'array',
      }),
    );
  const lists = columns.map((name) => choices.get(name) ?? []);
  const answer = (row: (string | null)[] | undefined) =>
    row && new Map(columns.map((name, i) => [name, row[i] ?? null]));
  // The product of all candidates would be too large. If a check raises an error, retry with fewer candidates.
  const widest = columns.length <= 1 ? 400 : Math.max(3, Math.floor(200_000 ** (1 / columns.length)));
  for (const width of [widest, Math.min(widest, 20), 4, 1]) {
    const found = await search(
      lists.map((list) => list.slice(0, width)),
      skip,
    );
    if (found?.rows[0]) return answer(found.rows[0]);
    if (found && skip > 0) return solve(client, catalog, table, checks, choices, fixed, 0);
    if (found) return undefined;
  }
  if (columns.length > 1) return undefined;
  for (const value of lists[0] ?? []) {
    const found = await search([[value]], 0);
    if (found?.rows[0]) return answer(found.rows[0]);
  }
  return undefined;
}

/**
 * Runs `work` in a savepoint.
 *
 * @returns undefined if Postgres raised an error and the savepoint was rolled back.
 */
export async function inSavepoint<Result>(
  client: pg.ClientBase,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  await client.query('savepoint seed_attempt');
  try {
    const result = await work();
    await client.query('release savepoint seed_attempt');
    return result;
  } catch (error) {
    await client.query('rollback to savepoint seed_attempt; release savepoint seed_attempt');
    if ((error as { code?: string }).code === undefined) throw error;
    return undefined;
  }
}
