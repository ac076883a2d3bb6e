import type { Finding } from './rule.ts';
import type { Statement } from './statements.ts';

/**
 * Adds the location of the last statement that creates the object of the finding, or else of the one that creates the
 * object that contains it. Returns the finding unchanged if there is no such statement.
 *
 * @param statements the statements of all migrations, in order.
 */
export function locate(finding: Finding, statements: readonly Statement[]): Finding {
  for (const name of namesOf(bare(finding.object))) {
    const creation = statements.findLast(
      ({ object }) => object.startsWith('create ') && bare(object.slice(object.indexOf(' ', 7) + 1)) === name,
    );
    if (creation) return { ...finding, file: creation.file, line: creation.line };
  }
  return finding;
}

/** Removes quotes and case, because Postgres quotes a name only if it has to. */
function bare(name: string): string {
  return name.toLowerCase().replaceAll('"', '');
}

/** Names that the creating statement can have: the object, or the object that contains it. */
function namesOf(object: string): string[] {
  const [, part, whole] = /^\w+ (.*) on (\S+)$/.exec(object) ?? [];
  if (part && whole) return [`${part} on ${whole}`, whole];
  const single = object.replace(/\(.*/s, '').replace(/^[a-z ]+ (?=\S+$)/, '');
  return [single, single.split('.').slice(0, 2).join('.')];
}
