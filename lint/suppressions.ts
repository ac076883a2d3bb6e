import type { Finding } from './rule.ts';
import type { Source } from './sources.ts';

/** `-- lint: allow <rule> on <object> as <fingerprint> because <reason>` */
export interface Suppression {
  readonly rule: string;
  readonly object: string;
  /** Of the policy whose expressions it excuses. */
  readonly fingerprint: string | undefined;
  readonly reason: string;
  readonly file: string;
  readonly line: number;
}

/** A finding that a comment allows. */
export type Suppressed = Finding & { readonly reason: string };

const page = 'docs/lint/README.md';

/** The suppressions in comments, and the mistakes in such comments. */
interface Suppressions {
  readonly suppressions: readonly Suppression[];
  readonly mistakes: readonly Finding[];
}

/**
 * Splits findings into remaining and suppressed ones. A comment with a mistake, or without a matching finding, is
 * itself a finding of the rule `suppression`. A suppression about a policy expires when its expressions change.
 *
 * @param inspected tells whether this run would have produced the finding that a suppression allows.
 */
export function applySuppressions(
  findings: readonly Finding[],
  { suppressions, mistakes }: Suppressions,
  inspected: (suppression: Suppression) => boolean,
): { findings: Finding[]; suppressed: Suppressed[] } {
  const matches = (suppression: Suppression, { rule, object }: Finding) =>
    rule === suppression.rule && normalize(object) === normalize(suppression.object);
  const isExpired = (suppression: Suppression, { fingerprint }: Finding) =>
    suppression.fingerprint !== undefined && fingerprint !== undefined && suppression.fingerprint !== fingerprint;
  const remaining: Finding[] = [];
  const untied: Finding[] = [];
  const suppressed: Suppressed[] = [];
  for (const finding of findings) {
    const suppression = suppressions.find((one) => matches(one, finding));
    if (!suppression) {
      remaining.push(finding);
      continue;
    }
    const { file, line, object, rule, reason } = suppression;
    const name = `as ${finding.fingerprint}`;
    if (isExpired(suppression, finding)) {
      remaining.push(finding);
      const detail = `allows ${rule} for other expressions than the policy has now: review them, and write \`${name}\``;
      untied.push(mistake(file, line, object, detail));
      continue;
    }
    suppressed.push({ ...finding, reason });
    if (suppression.fingerprint !== undefined || finding.fingerprint === undefined) continue;
    const detail = `allows ${rule} for any expression: write \`${name}\` after the name, so that it expires when the policy changes`;
    untied.push({ ...mistake(file, line, object, detail), level: 'warning' });
  }
  const stale = suppressions
    .filter((suppression) => inspected(suppression) && !findings.some((finding) => matches(suppression, finding)))
    .map(({ rule, object, file, line }) =>
      mistake(
        file,
        line,
        object,
        `allows ${rule}, but there is no such finding: delete the comment, or revoke it with \`-- lint: enforce\``,
      ),
    );
  return { findings: [...remaining, ...mistakes, ...untied, ...stale], suppressed };
}

/**
 * Reads the suppressions from comments. Nobody may edit a committed migration, so a later
 * `-- lint: enforce <rule> on <object>` revokes a suppression in it.
 *
 * @param isRule tells whether a rule exists.
 */
export function readSuppressions(sources: readonly Source[], isRule: (rule: string) => boolean): Suppressions {
  const suppressions = new Map<string, Suppression>();
  const mistakes: Finding[] = [];
  for (const { file, sql } of sources) {
    for (const [index, text] of sql.split('\n').entries()) {
      const directive = /^\s*--\s*lint:\s*(.*?)\s*$/i.exec(text)?.[1];
      if (directive === undefined) continue;
      const line = index + 1;
      const [, verb, rule = '', object = '', , fingerprint, , reason] =
        /^(allow|enforce)\s+(\S+)\s+on\s+(.+?)(\s+as\s+([0-9a-f]{8}))?(\s+because\s+(.+))?$/i.exec(directive) ?? [];
      const key = `${rule} ${normalize(object)}`;
      if (!verb)
        mistakes.push(
          mistake(file, line, directive, 'is not understood: write `allow <rule> on <object> because <reason>`'),
        );
      else if (!isRule(rule))
        mistakes.push(mistake(file, line, object, `names the rule ${rule}, which does not exist: correct the name`));
      else if (verb.toLowerCase() === 'enforce') {
        if (!suppressions.delete(key))
          mistakes.push(
            mistake(file, line, object, `enforces ${rule}, which no earlier comment allows: delete the comment`),
          );
      } else if (!reason)
        mistakes.push(mistake(file, line, object, `allows ${rule} without a reason: append \`because <reason>\``));
      else suppressions.set(key, { rule, object, fingerprint, reason, file, line });
    }
  }
  return { suppressions: [...suppressions.values()], mistakes };
}

function mistake(file: string, line: number, object: string, detail: string): Finding {
  return { rule: 'suppression', level: 'error', object, detail, file, line, page };
}

/** Whitespace and the case of unquoted names do not matter. */
function normalize(object: string): string {
  return object
    .replace(/\s*,\s*/g, ', ')
    .replace(/\s+/g, ' ')
    .replace(/"[^"]*"|[^"]+/g, (part) => (part.startsWith('"') ? part : part.toLowerCase()));
}
