/** Escapes a text for use in a regular expression. */
export const escapeRegExp = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Whether a text contains a name outside of string literals. */
export function hasWord(text: string, name: string): boolean {
  const bare = text.replaceAll(/'(?:[^']|'')*'/g, "''");
  return new RegExp(`(?<![\\w$])${escapeRegExp(name)}(?![\\w$])`, 'i').test(bare);
}
