import { createHash } from 'node:crypto';

/** Bytes of a name in Postgres, which cuts longer ones. */
const longest = 63;

/**
 * A name for an index or a constraint: its parts joined, as Postgres would name it. A longer one than Postgres keeps ends
 * with a digest of the whole, so that no two are cut to the same name.
 *
 * @param ending `key`, `fkey`, `idx`, `pkey`.
 */
export function nameOf(parts: readonly string[], ending: string): string {
  const name = [...parts, ending].join('_');
  if (name.length <= longest) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 8);
  const tail = `_${digest}_${ending}`;
  return `${name.slice(0, longest - tail.length)}${tail}`;
}

/** The name of a column's field in the API. */
export function camel(name: string): string {
  return name.replace(/_+$/, '').replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The English singular of a table's name, with spaces: `todo tag`. */
export function singular(name: string): string {
  const words = name.replaceAll('_', ' ');
  if (words.endsWith('ies')) return `${words.slice(0, -3)}y`;
  if (/(ss|x|ch|sh)es$/.test(words)) return words.slice(0, -2);
  return words.endsWith('s') && !words.endsWith('ss') ? words.slice(0, -1) : words;
}
