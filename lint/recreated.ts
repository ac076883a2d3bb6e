import type { Statement } from './statements.ts';

const alters = /^alter table (?:if exists |only )*(\S+)/i;

/**
 * Whether a statement only drops what the same file makes again behind it, as migrations do that can run twice, and no
 * earlier file had made it: then there is nothing to drop where the migration is applied once.
 */
export function isRecreated({ text }: Statement, later: readonly Statement[], earlier: readonly Statement[]): boolean {
  const [, altered = ''] = alters.exec(text) ?? [];
  const dropped = [
    ...text.matchAll(/\bdrop (column|table|index) (?:if exists )?([^;]*?)(?= cascade| restrict|, drop|$)/gi),
  ];
  if (dropped.length === 0) return false;
  return dropped.every(([, kind = '', list = '']) =>
    list.split(',').every((name) => {
      const made = makes(kind.toLowerCase(), name.trim(), altered);
      return later.some((one) => made.test(one.text)) && !earlier.some((one) => made.test(one.text));
    }),
  );
}

/** Whether a statement alters a table that the same file has made before it, which nobody uses yet. */
export function isOfNewTable(
  { text }: Statement,
  before: readonly Statement[],
  earlier: readonly Statement[],
): boolean {
  const [, altered] = alters.exec(text) ?? [];
  if (!altered) return false;
  const made = makes('table', altered, '');
  return before.some((one) => made.test(one.text)) && !earlier.some((one) => made.test(one.text));
}

/** What a statement looks like that makes the table, the index, or the column of the table `altered`. */
function makes(kind: string, name: string, altered: string): RegExp {
  const [whole, table] = [literally(name), literally(altered)];
  if (kind === 'table') return new RegExp(`^create (?:unlogged )?table (?:if not exists )?${whole} `, 'i');
  // An index is made in the schema of its table, without saying so.
  if (kind === 'index') return new RegExp(`^create .*\\bindex .*\\b${literally(name.replace(/^.*\./, ''))} on `, 'is');
  return new RegExp(`^(?:create|alter) .*\\btable .*${table} .*[( ]${whole} `, 'is');
}

/** The regular expression that is a name and nothing else. */
function literally(name: string): string {
  return name.replace(/[^\w]/g, '\\$&');
}
