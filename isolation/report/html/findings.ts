import { html, type Markup } from '../../../common/markup.ts';
import type { Proof } from '../../proof.ts';

/** The leaks, each with its statement and answer, and the mutants that survived. */
export function findings({ attempts, mutants = [] }: Proof): Markup | undefined {
  const leaks = attempts.filter(({ outcome }) => outcome === 'leaked');
  const survivors = mutants.filter(({ outcome }) => outcome === 'survived');
  if (leaks.length + survivors.length === 0) return undefined;
  return html`<section aria-labelledby="findings-title">
<h2 id="findings-title">Findings</h2>
<ol class="findings">
${leaks.map(
  ({ table, attack, path, statement, answer, evidence }) => html`<li class="finding">
<h3>${table}: ${attack}</h3>
<p>${evidence} <span class="quiet">(${path})</span></p>
<div class="exchange"><div><h4>Sent</h4><pre>${statement}</pre></div><div><h4>Answer</h4><pre>${answer}</pre></div></div>
</li>`,
)}
${survivors.map(
  ({ kind, object, description, reason, sql }) => html`<li class="finding">
<h3>${object}: ${kind}</h3>
<p>${description} ${reason}</p>
<h4>Applied</h4><pre>${sql}</pre>
</li>`,
)}
</ol>
</section>`;
}

/** The reasons why the run proves nothing, and the objects that it left out. */
export function caveats({ unproven, notJudged }: Proof): Markup | undefined {
  if (unproven.length + notJudged.length === 0) return undefined;
  return html`<section aria-labelledby="limits-title">
<h2 id="limits-title">Limits</h2>
${list('Not proven', unproven)}
${list(
  'Not judged',
  notJudged.map(({ about, reason }) => `${about}: ${reason}`),
)}
</section>`;
}

function list(title: string, sentences: readonly string[]): Markup | undefined {
  if (sentences.length === 0) return undefined;
  return html`<h3>${title}</h3>
<ul>${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>`;
}
