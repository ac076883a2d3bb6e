import type pg from 'pg';
import { postgresOf } from '../describe/describeSchema.ts';
import { normalizing, type SchemaLine } from './normalize.ts';

/**
 * Compares two descriptions of a schema and returns one sentence for each difference. Postgres shows an expression in another way after a
 * dump (`between`, `varchar in (…)`) or an update; lines that mean the same to it are no difference.
 *
 * @param client connected to the database of `found`.
 */
export async function compareSchema(client: pg.Client, expected: string, found: string): Promise<string[]> {
  const form = postgresOf(expected) === postgresOf(found) ? (line: string) => line : portable;
  const [wanted, present] = [linesOf(expected), linesOf(found)];
  const text = (line: SchemaLine) => form(describe(line));
  const [known, there] = [new Set(wanted.map(text)), new Set(present.map(text))];
  const missing = wanted.filter((line) => !there.has(text(line)));
  const added = present.filter((line) => !known.has(text(line)));
  const same = await equivalents(client, missing, added);
  return [
    ...missing.filter((line) => !same.has(line)).map((line) => `missing from the database: ${describe(line)}`),
    ...added.filter((line) => !same.has(line)).map((line) => `not in migrations/snapshot.txt: ${describe(line)}`),
  ];
}

function describe({ object, line }: SchemaLine): string {
  return object === '' ? line : `${object}: ${line}`;
}

/** The lines of both sides that say the same in another way. */
async function equivalents(
  client: pg.Client,
  missing: readonly SchemaLine[],
  added: readonly SchemaLine[],
): Promise<Set<SchemaLine>> {
  const same = new Set<SchemaLine>();
  const pairs = missing.flatMap((one) => {
    const other = added.find((line) => line.object === one.object && nameOf(line) === nameOf(one));
    return other ? [[one, other] as const] : [];
  });
  if (pairs.length === 0) return same;
  await normalizing(client, async (areSame) => {
    for (const [one, other] of pairs) {
      if (await areSame(one, other)) same.add(one).add(other);
    }
  });
  return same;
}

/** The kind and name at the beginning of a line. */
function nameOf({ line }: SchemaLine): string {
  const name = '(?:"(?:[^"]|"")+"|[^\\s:("]+)(?:\\.(?:"(?:[^"]|"")+"|[^\\s:("]+))?';
  return new RegExp(`^(?:CREATE (?:UNIQUE )?INDEX|\\w+) (?:${name})?`).exec(line)?.[0] ?? line;
}

/** The lines of a snapshot; an indented one gets the first words of the line that it belongs to as its object. */
function linesOf(text: string): SchemaLine[] {
  let object = '';
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('--')) return [];
    if (line.startsWith(' ')) return { object, line: line.trim() };
    object = /^(?:(?:partitioned|foreign|materialized) )?\S+ \S+?(?=:? |:?$)/.exec(line)?.[0] ?? line;
    return { object: '', line };
  });
}

/**
 * A line without what only some versions of Postgres show. Before 16 each column of a view has its table, later only if
 * there are several tables; MAINTAIN came with 17, and is part of `grant all`.
 */
function portable(line: string): string {
  if (/^\w+ \S+: as /.test(line)) return line.replace(/(?:"[^"]+"|\w+)\.(?=["\w])/g, '');
  if (line.startsWith('default privileges ')) return line.replace(/(?<==[a-zA-Z*]*)m\*?(?=[a-zA-Z*]*\/)/g, '');
  return /: grant /.test(line) ? line.replace(/\bmaintain, |, maintain\b/, '') : line;
}
