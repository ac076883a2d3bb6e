/** Escapes a text for use in a regular expression. */
export const escapeRegExp = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The source of a regular expression that matches a call of a function, without its arguments. */
export function callPattern(sql: string): string {
  return `(?<![\\w$])${escapeRegExp(sql.slice(sql.lastIndexOf('.') + 1))}\\(`;
}

/** Whether a text contains a name outside of string literals. */
export function hasWord(text: string, name: string): boolean {
  const bare = text.replaceAll(/'(?:[^']|'')*'/g, "''");
  return new RegExp(`(?<![\\w$])${escapeRegExp(name)}(?![\\w$])`, 'i').test(bare);
}
