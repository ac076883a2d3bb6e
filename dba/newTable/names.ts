import { createHash } from 'node:crypto';

/** Maximum length of a name in Postgres, in bytes. Postgres truncates longer names. */
const maxLength = 63;

/**
 * Names an index or a constraint in the way Postgres does. A name that is too long gets a digest before its ending, so
 * that no two names become equal when they are shortened.
 *
 * @param ending `key`, `fkey`, `idx`, `pkey`.
 */
export function nameOf(parts: readonly string[], ending: string): string {
  const name = [...parts, ending].join('_');
  if (name.length <= maxLength) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 8);
  const tail = `_${digest}_${ending}`;
  return `${name.slice(0, maxLength - tail.length)}${tail}`;
}

/** The API field of a column: `dueDate` for `due_date`. */
export function camel(name: string): string {
  return name.replace(/_+$/, '').replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The English singular of a table's name, with spaces: `todo tag` for `todo_tags`. */
export function singular(name: string): string {
  const words = name.replaceAll('_', ' ');
  if (words.endsWith('ies')) return `${words.slice(0, -3)}y`;
  if (/(ss|x|ch|sh)es$/.test(words)) return words.slice(0, -2);
  return words.endsWith('s') && !words.endsWith('ss') ? words.slice(0, -1) : words;
}
