import type { Statement } from './statements.ts';

const alters = /^alter table (?:if exists |only )*(\S+)/i;

/**
 * Whether a statement only drops objects that the same file creates later and that no earlier file created. Migrations
 * that can run twice contain such statements. They drop nothing when the migration runs once.
 */
export function isRecreated({ text }: Statement, later: readonly Statement[], earlier: readonly Statement[]): boolean {
  const [, altered = ''] = alters.exec(text) ?? [];
  const dropped = [
    ...text.matchAll(/\bdrop (column|table|index) (?:if exists )?([^;]*?)(?= cascade| restrict|, drop|$)/gi),
  ];
  if (dropped.length === 0) return false;
  return dropped.every(([, kind = '', list = '']) =>
    list.split(',').every((name) => {
      const creation = creationPattern(kind.toLowerCase(), name.trim(), altered);
      return later.some((one) => creation.test(one.text)) && !earlier.some((one) => creation.test(one.text));
    }),
  );
}

/** Whether a statement alters a table that the same file created before it, which nobody uses yet. */
export function isOfNewTable(
  { text }: Statement,
  before: readonly Statement[],
  earlier: readonly Statement[],
): boolean {
  const [, altered] = alters.exec(text) ?? [];
  if (!altered) return false;
  const creation = creationPattern('table', altered, '');
  return before.some((one) => creation.test(one.text)) && !earlier.some((one) => creation.test(one.text));
}

/** A regular expression for statements that create the table, the index, or the column of the table `altered`. */
function creationPattern(kind: string, name: string, altered: string): RegExp {
  const [whole, table] = [escapeRegExp(name), escapeRegExp(altered)];
  if (kind === 'table') return new RegExp(`^create (?:unlogged )?table (?:if not exists )?${whole} `, 'i');
  // An index is created in the schema of its table, and the statement does not name that schema.
  if (kind === 'index')
    return new RegExp(`^create .*\\bindex .*\\b${escapeRegExp(name.replace(/^.*\./, ''))} on `, 'is');
  return new RegExp(`^(?:create|alter) .*\\btable .*${table} .*[( ]${whole} `, 'is');
}

/** Escapes a name for use in a regular expression. */
function escapeRegExp(name: string): string {
  return name.replace(/[^\w]/g, '\\$&');
}
