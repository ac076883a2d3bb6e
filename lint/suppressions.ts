import type { Finding } from './rule.ts';
import type { Source } from './sources.ts';

/** `-- lint: allow <rule> on <object> because <reason>` */
export interface Suppression {
  readonly rule: string;
  readonly object: string;
  readonly reason: string;
  readonly file: string;
  readonly line: number;
}

/** A finding that somebody has allowed. */
export type Suppressed = Finding & { readonly reason: string };

const page = 'docs/lint/README.md';

/** What comments allow, and mistakes in comments. */
interface Suppressions {
  readonly suppressions: readonly Suppression[];
  readonly mistakes: readonly Finding[];
}

/**
 * Parts findings into those that stand and those that a comment allows. Comments with a mistake, and those that allow what
 * is not there (any more), are findings of the rule `suppression`.
 *
 * @param inspected tells whether a finding that a comment is about would have been found.
 */
export function applySuppressions(
  findings: readonly Finding[],
  { suppressions, mistakes }: Suppressions,
  inspected: (suppression: Suppression) => boolean,
): { findings: Finding[]; silenced: Suppressed[] } {
  const matches = (suppression: Suppression, { rule, object }: Finding) =>
    rule === suppression.rule && normalize(object) === normalize(suppression.object);
  const standing: Finding[] = [];
  const silenced: Suppressed[] = [];
  for (const finding of findings) {
    const suppression = suppressions.find((one) => matches(one, finding));
    if (suppression) silenced.push({ ...finding, reason: suppression.reason });
    else standing.push(finding);
  }
  const stale = suppressions
    .filter((suppression) => inspected(suppression) && !findings.some((finding) => matches(suppression, finding)))
    .map(({ rule, object, file, line }) => mistake(file, line, object, `allows ${rule}, which does not find it`));
  return { findings: [...standing, ...mistakes, ...stale], silenced };
}

/**
 * Reads the comments that allow something. In a committed migration, which nobody may edit, one is taken back by a later
 * `-- lint: enforce <rule> on <object>`.
 *
 * @param known tells whether a rule exists.
 */
export function readSuppressions(sources: readonly Source[], known: (rule: string) => boolean): Suppressions {
  const suppressions = new Map<string, Suppression>();
  const mistakes: Finding[] = [];
  for (const { file, sql } of sources) {
    for (const [index, text] of sql.split('\n').entries()) {
      const said = /^\s*--\s*lint:\s*(.*?)\s*$/i.exec(text)?.[1];
      if (said === undefined) continue;
      const line = index + 1;
      const [, verb, rule = '', object = '', , reason] =
        /^(allow|enforce)\s+(\S+)\s+on\s+(.+?)(\s+because\s+(.+))?$/i.exec(said) ?? [];
      const key = `${rule} ${normalize(object)}`;
      if (!verb) mistakes.push(mistake(file, line, said, 'say `allow <rule> on <object> because <reason>`'));
      else if (!known(rule)) mistakes.push(mistake(file, line, object, `there is no rule ${rule}`));
      else if (verb.toLowerCase() === 'enforce') {
        if (!suppressions.delete(key)) mistakes.push(mistake(file, line, object, `nothing allows ${rule} before this`));
      } else if (!reason) mistakes.push(mistake(file, line, object, `allows ${rule} without \`because <reason>\``));
      else suppressions.set(key, { rule, object, reason, file, line });
    }
  }
  return { suppressions: [...suppressions.values()], mistakes };
}

function mistake(file: string, line: number, object: string, detail: string): Finding {
  return { rule: 'suppression', level: 'error', object, detail, file, line, page };
}

/** Blanks and the case of unquoted names do not count. */
function normalize(object: string): string {
  return object
    .replace(/\s*,\s*/g, ', ')
    .replace(/\s+/g, ' ')
    .replace(/"[^"]*"|[^"]+/g, (part) => (part.startsWith('"') ? part : part.toLowerCase()));
}
