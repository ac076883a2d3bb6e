import type { Finding } from '../../lint/rule.ts';
import { applySuppressions, readSuppressions } from '../../lint/suppressions.ts';

const finding = (rule: string, object: string): Finding => ({ rule, level: 'error', object, detail: '', page: '' });
const findings = [finding('loose', 'app_public.notes'), finding('loose', 'function app_public.f(uuid, text)')];

/** What stands of the findings, with comments in a committed migration and then in current.sql. */
function judge(committed: string, current = '', inspected = true) {
  const sources = [
    { file: 'migrations/committed/000001.sql', sql: committed, committed: true },
    { file: 'current.sql', sql: current, committed: false },
  ];
  const suppressions = readSuppressions(sources, (rule) => rule === 'loose' || rule === 'tight');
  const judged = applySuppressions(findings, suppressions, () => inspected);
  return {
    standing: judged.findings.map(({ rule, object }) => `${rule} ${object}`),
    silenced: judged.silenced.map(({ object, reason }) => `${object}: ${reason}`),
    mistakes: judged.findings
      .filter(({ rule }) => rule === 'suppression')
      .map(({ detail, line }) => `${line}: ${detail}`),
  };
}

test('a comment suppresses one rule on one object, and its reason is kept', () => {
  expect(judge('select 1;\n  -- lint: allow loose on App_public.notes because we say so because of that')).toEqual({
    standing: ['loose function app_public.f(uuid, text)'],
    silenced: ['app_public.notes: we say so because of that'],
    mistakes: [],
  });
  expect(judge('--lint: allow loose on function app_public.f(uuid,text) because x').silenced).toHaveLength(1);
});

test.each([
  ['-- lint: allow loose on app_public.notes', /without `because/],
  ['-- lint: allow loose on app_public.notes because ', /without `because|which does not find it/],
  ['-- lint: allow lose on app_public.notes because x', /there is no rule lose/],
  ['-- lint: ignore loose', /say `allow/],
  ['\n-- lint: allow loose on app_public.gone because x', /^2: allows loose, which does not find it/],
  ['-- lint: allow loose on app_public."Notes" because x', /which does not find it/],
  ['-- lint: enforce loose on app_public.notes', /nothing allows loose before this/],
])('%s is a finding, and suppresses nothing', (comment, mistake) => {
  const { standing, silenced, mistakes } = judge(comment);
  expect(standing).toHaveLength(3);
  expect(silenced).toEqual([]);
  expect(mistakes).toEqual([expect.stringMatching(mistake)]);
});

test('a later comment takes back one of a committed migration, and may be taken back itself', () => {
  const allow = '-- lint: allow loose on app_public.notes because x';
  const enforce = '-- lint: enforce loose on app_public.notes';
  expect(judge(allow, enforce)).toMatchObject({ silenced: [], mistakes: [] });
  expect(judge(`${allow}\n${enforce}`, allow)).toMatchObject({ silenced: ['app_public.notes: x'], mistakes: [] });
});

test('a comment about what was not inspected is no mistake', () => {
  expect(judge('-- lint: allow tight on app_public.gone because x', '', false).mistakes).toEqual([]);
});
