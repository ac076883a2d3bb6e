import { html, type Markup } from '../../../common/markup.ts';
import type { Proof } from '../../proof.ts';

/** The reasons why it is not proven, and what was left out. */
export function limits({ unproven, notJudged }: Proof): Markup | undefined {
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
