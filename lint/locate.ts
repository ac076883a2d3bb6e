import type { Finding } from './rule.ts';
import type { Statement } from './statements.ts';

/**
 * Adds where the object of a finding is made: the last statement that creates it, or else what it is a part of.
 *
 * @param statements of all migrations, in their order.
 */
export function locate(finding: Finding, statements: readonly Statement[]): Finding {
  for (const name of namesOf(bare(finding.object))) {
    const made = statements.findLast(
      ({ object }) => object.startsWith('create ') && bare(object.slice(object.indexOf(' ', 7) + 1)) === name,
    );
    if (made) return { ...finding, file: made.file, line: made.line };
  }
  return finding;
}

/** Postgres quotes a name only where it has to. */
function bare(name: string): string {
  return name.toLowerCase().replaceAll('"', '');
}

/** What the statement that makes the object may have named: itself, or what it is a part of. */
function namesOf(object: string): string[] {
  const [, part, whole] = /^\w+ (.*) on (\S+)$/.exec(object) ?? [];
  if (part && whole) return [`${part} on ${whole}`, whole];
  const single = object.replace(/\(.*/s, '').replace(/^[a-z ]+ (?=\S+$)/, '');
  return [single, single.split('.').slice(0, 2).join('.')];
}
