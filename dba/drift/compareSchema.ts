import type pg from 'pg';
import { postgresOf } from '../describe/describeSchema.ts';
import { type SchemaLine, withNormalizer } from './normalize.ts';

/**
 * Compares two descriptions of a schema and returns one sentence for each difference. Postgres may show the same expression
 * differently after a dump (`between`, `varchar in (…)`) or an upgrade. Equivalent lines are no difference.
 *
 * See docs/adr/0063-compare-schemas-by-meaning.md.
 *
 * @param client connected to the database of `found`, outside a transaction.
 */
export async function compareSchema(client: pg.Client, expected: string, found: string): Promise<string[]> {
  const form = postgresOf(expected) === postgresOf(found) ? (line: string) => line : portable;
  const [expectedLines, foundLines] = [linesOf(expected), linesOf(found)];
  const text = (line: SchemaLine) => form(describe(line));
  const [expectedTexts, foundTexts] = [new Set(expectedLines.map(text)), new Set(foundLines.map(text))];
  const missing = expectedLines.filter((line) => !foundTexts.has(text(line)));
  const added = foundLines.filter((line) => !expectedTexts.has(text(line)));
  const same = await equivalents(client, missing, added);
  return [
    ...missing.filter((line) => !same.has(line)).map((line) => `missing from the database: ${describe(line)}`),
    ...added.filter((line) => !same.has(line)).map((line) => `not in migrations/snapshot.txt: ${describe(line)}`),
  ];
}

function describe({ object, line }: SchemaLine): string {
  return object === '' ? line : `${object}: ${line}`;
}

/** Returns the lines of both sides that are equivalent to a line of the other side. */
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
  await withNormalizer(client, async (areSame) => {
    for (const [one, other] of pairs) {
      if (await areSame(one, other)) same.add(one).add(other);
    }
  });
  return same;
}

/** The kind and name at the start of a line, which pair a missing line with an added one. */
function nameOf({ line }: SchemaLine): string {
  const name = '(?:"(?:[^"]|"")+"|[^\\s:("]+)(?:\\.(?:"(?:[^"]|"")+"|[^\\s:("]+))?';
  return new RegExp(`^(?:CREATE (?:UNIQUE )?INDEX|\\w+) (?:${name})?`).exec(line)?.[0] ?? line;
}

/** Parses a snapshot into lines. An indented line gets its object from the unindented line above it. */
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
 * Removes details of a line that only some versions of Postgres show:
 *
 * - Before 16, Postgres qualifies every column of a view with its table; since 16 only if there are several tables.
 * - MAINTAIN exists since 17, and is part of `grant all`.
 */
function portable(line: string): string {
  if (/^\w+ \S+: as /.test(line)) return line.replace(/(?:"[^"]+"|\w+)\.(?=["\w])/g, '');
  if (line.startsWith('default privileges ')) return line.replace(/(?<==[a-zA-Z*]*)m\*?(?=[a-zA-Z*]*\/)/g, '');
  return /: grant /.test(line) ? line.replace(/\bmaintain, |, maintain\b/, '') : line;
}
