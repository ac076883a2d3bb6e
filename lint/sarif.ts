import { createHash } from 'node:crypto';
import type { Finding } from './rule.ts';
import type { Suppressed } from './suppressions.ts';

/** The parts of a report that SARIF can express. */
interface Reported {
  readonly findings: readonly Finding[];
  readonly silenced?: readonly Suppressed[];
}

/**
 * Converts a report to SARIF 2.1.0 (OASIS), which code hosts show next to the lines of a pull request. A suppressed
 * finding becomes a result with a suppression. A finding without a location points at current.sql.
 */
export function toSarif({ findings, silenced = [] }: Reported): object {
  const all = [...findings, ...silenced];
  const rules = [...new Map(all.map((finding) => [finding.rule, finding])).values()];
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'hedgerow-lint',
            rules: rules.map(({ rule, level, page }) => ({
              id: rule,
              shortDescription: { text: rule.replaceAll('-', ' ') },
              help: { text: `See ${page}` },
              ...(URL.canParse(page) && { helpUri: page }),
              defaultConfiguration: { level },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: [
          ...findings.map((finding) => result(finding, rules)),
          ...silenced.map((finding) => ({
            ...result(finding, rules),
            suppressions: [{ kind: 'inSource', justification: finding.reason }],
          })),
        ],
      },
    ],
  };
}

function result({ rule, level, object, detail, file = 'current.sql', line = 1 }: Finding, rules: readonly Finding[]) {
  return {
    ruleId: rule,
    ruleIndex: rules.findIndex((one) => one.rule === rule),
    level,
    message: { text: `${object}: ${detail}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: encodeURI(file.replaceAll('\\', '/')), uriBaseId: '%SRCROOT%' },
          region: { startLine: line },
        },
        logicalLocations: [{ fullyQualifiedName: object }],
      },
    ],
    partialFingerprints: { 'hedgerow/v1': createHash('sha256').update(`${rule} ${object}`).digest('hex') },
  };
}
