import type { Finding } from '../../lint/rule.ts';
import { applySuppressions, readSuppressions } from '../../lint/suppressions.ts';

const finding = (rule: string, object: string): Finding => ({ rule, level: 'error', object, detail: '', page: '' });
const findings = [finding('loose', 'app_public.notes'), finding('loose', 'function app_public.f(uuid, text)')];

/** Applies comments in a committed migration and then in current.sql to the findings. */
function judge(committed: string, current = '', inspected = true) {
  const sources = [
    { file: 'migrations/committed/000001.sql', sql: committed, committed: true },
    { file: 'current.sql', sql: current, committed: false },
  ];
  const suppressions = readSuppressions(sources, (rule) => rule === 'loose' || rule === 'tight');
  const judged = applySuppressions(findings, suppressions, () => inspected);
  return {
    remaining: judged.findings.map(({ rule, object }) => `${rule} ${object}`),
    suppressed: judged.suppressed.map(({ object, reason }) => `${object}: ${reason}`),
    mistakes: judged.findings
      .filter(({ rule }) => rule === 'suppression')
      .map(({ detail, line }) => `${line}: ${detail}`),
  };
}

test('a comment suppresses one rule on one object, and the report keeps its reason', () => {
  expect(judge('select 1;\n  -- lint: allow loose on App_public.notes because we say so because of that')).toEqual({
    remaining: ['loose function app_public.f(uuid, text)'],
    suppressed: ['app_public.notes: we say so because of that'],
    mistakes: [],
  });
  expect(judge('--lint: allow loose on function app_public.f(uuid,text) because x').suppressed).toHaveLength(1);
});

test.each([
  ['-- lint: allow loose on app_public.notes', /append `because/],
  ['-- lint: allow loose on app_public.notes because ', /append `because|there is no such finding/],
  ['-- lint: allow lose on app_public.notes because x', /names the rule lose, which does not exist/],
  ['-- lint: ignore loose', /write `allow/],
  ['\n-- lint: allow loose on app_public.gone because x', /^2: allows loose, but there is no such finding/],
  ['-- lint: allow loose on app_public."Notes" because x', /there is no such finding/],
  ['-- lint: enforce loose on app_public.notes', /enforces loose, which no earlier comment allows/],
])('the comment %s is a finding and suppresses nothing', (comment, mistake) => {
  const { remaining, suppressed, mistakes } = judge(comment);
  expect(remaining).toHaveLength(3);
  expect(suppressed).toEqual([]);
  expect(mistakes).toEqual([expect.stringMatching(mistake)]);
});

test('a later comment revokes one of a committed migration, and a third one revokes that', () => {
  const allow = '-- lint: allow loose on app_public.notes because x';
  const enforce = '-- lint: enforce loose on app_public.notes';
  expect(judge(allow, enforce)).toMatchObject({ suppressed: [], mistakes: [] });
  expect(judge(`${allow}\n${enforce}`, allow)).toMatchObject({ suppressed: ['app_public.notes: x'], mistakes: [] });
});

test('a comment about an object that was not inspected is not a finding', () => {
  expect(judge('-- lint: allow tight on app_public.gone because x', '', false).mistakes).toEqual([]);
});

describe('a suppression about a policy', () => {
  const policy: Finding = { ...finding('loose', 'policy p on app_public.notes'), fingerprint: '0a1b2c3d' };
  const apply = (comment: string) => {
    const sources = [{ file: 'current.sql', sql: comment, committed: false }];
    const { findings: remaining, suppressed } = applySuppressions(
      [policy],
      readSuppressions(sources, () => true),
      () => true,
    );
    return {
      suppressed: suppressed.length,
      remaining: remaining.map(({ rule, level }) => `${level} ${rule}`),
      remains: remaining,
    };
  };

  test('holds for the expressions that it names', () => {
    expect(apply('-- lint: allow loose on policy p on app_public.notes as 0a1b2c3d because x')).toMatchObject({
      suppressed: 1,
      remaining: [],
    });
  });

  test('expires when they change', () => {
    const { suppressed, remaining, remains } = apply(
      '-- lint: allow loose on policy p on app_public.notes as ffffffff because x',
    );
    expect({ suppressed, remaining }).toEqual({ suppressed: 0, remaining: ['error loose', 'error suppression'] });
    expect(remains[1]?.detail).toMatch(/other expressions than the policy has now: .* `as 0a1b2c3d`/);
  });

  test('is a warning if it names no expressions', () => {
    const { suppressed, remaining, remains } = apply('-- lint: allow loose on policy p on app_public.notes because x');
    expect({ suppressed, remaining }).toEqual({ suppressed: 1, remaining: ['warning suppression'] });
    expect(remains[0]?.detail).toContain('write `as 0a1b2c3d`');
  });
});
