import { html, type Markup } from '../../../common/markup.ts';
import type { Attempt } from '../../attempt.ts';
import type { Verdict } from '../../mutants/mutant.ts';
import { plural } from './summary.ts';

/** The kill matrix: mutants by the attacks that detected them, then equivalent mutants and attacks without a kill. */
export function mutants(verdicts: readonly Verdict[], attempts: readonly Attempt[]): Markup {
  const counted = verdicts
    .map((verdict, index) => ({ verdict, index }))
    .filter(({ verdict }) => verdict.outcome !== 'equivalent');
  const catches = Map.groupBy(
    verdicts.flatMap(({ caught }) => [...new Set(caught.map(({ attack }) => attack))]),
    (attack) => attack,
  );
  const catchers = [...catches.keys()].sort(
    (one, other) => (catches.get(other)?.length ?? 0) - (catches.get(one)?.length ?? 0),
  );
  const survivors = counted.some(({ verdict }) => verdict.outcome === 'survived');
  const kinds = Map.groupBy(counted, ({ verdict }) => verdict.kind);
  return html`<section aria-labelledby="mutants-title">
<h2 id="mutants-title">Mutants</h2>
<p>Do the attacks detect a broken schema? Each mutant weakens one thing in a copy of the database. It is killed if an attack
leaks, if a control fails because a tenant can no longer use its own rows, or if a hardening rule is violated. Hardening
rules read the catalog and detect weaknesses that another safeguard still covers.</p>
<ul class="legend">
<li><span class="cell held" aria-hidden="true">✓</span> detected by this attack</li>
${survivors ? html`<li><span class="cell leaked" aria-hidden="true">✕</span> not detected: the mutant survived</li>` : ''}
</ul>
<div class="sheet"><table class="matrix kills" id="kills">
<thead><tr><th scope="col">Mutant</th>${survivors ? html`<th scope="col" class="column"><span>not detected</span></th>` : ''}${catchers.map((attack) => html`<th scope="col" class="column" title="${attack}"><span>${attack}</span></th>`)}</tr></thead>
${[...kinds].map(
  ([kind, members]) => html`<tbody><tr class="group"><th scope="colgroup">${kind}</th></tr>
${members.map(({ verdict, index }) => row(verdict, index, catchers, survivors))}</tbody>`,
)}
</table></div>
${equivalent(verdicts.filter(({ outcome }) => outcome === 'equivalent'))}
${idle(attempts, new Set(catchers))}
</section>`;
}

function row(
  { object, caught, outcome }: Verdict,
  index: number,
  catchers: readonly string[],
  survivors: boolean,
): Markup {
  const by = new Set(caught.map(({ attack }) => attack));
  return html`<tr><th scope="row"><button class="link" data-mutant="${index}">${object}</button></th>
${survivors ? html`<td>${outcome === 'survived' ? html`<span class="cell leaked" role="img" aria-label="survived">✕</span>` : ''}</td>` : ''}
${catchers.map((attack) => html`<td>${by.has(attack) ? html`<span class="cell held" role="img" aria-label="detected">✓</span>` : ''}</td>`)}
<td class="catchers">${outcome === 'survived' ? html`<strong class="bad-text">✕ survived</strong>` : `✓ ${[...by].join(', ')}`}</td></tr>`;
}

function equivalent(verdicts: readonly Verdict[]): Markup | undefined {
  if (verdicts.length === 0) return undefined;
  const reasons = Map.groupBy(verdicts, ({ reason }) => reason);
  return html`<h3>Equivalent: ${plural(verdicts.length, 'mutant')} without an effect on tenants, not counted</h3>
<dl class="proofs">${[...reasons].map(
    ([reason, members]) => html`<dt>${reason}</dt>
<dd>${members.map(({ kind, object }) => `${kind}, ${object}`).join('; ')}
<details><summary>Query of the catalog</summary><pre>${members[0]?.proof}</pre></details></dd>`,
  )}</dl>`;
}

function idle(attempts: readonly Attempt[], catchers: ReadonlySet<string>): Markup | undefined {
  const never = [...new Set(attempts.map(({ attack }) => attack))].filter((attack) => !catchers.has(attack));
  if (never.length === 0) return undefined;
  return html`<h3>${plural(never.length, 'attack')} detected no mutant</h3>
<p>No mutant opens the path that these attacks try, or a second safeguard blocks it. An attack that no schema change lets through is no evidence.</p>
<ul class="names">${never.map((attack) => html`<li>${attack}</li>`)}</ul>`;
}
