import { html, type Markup } from '../../../common/markup.ts';
import type { Attempt } from '../../attempt.ts';
import { exitCodeOf, type Proof } from '../../proof.ts';

/** Display names of the paths into the database. */
export const pathNames: Readonly<Record<Attempt['path'], string>> = {
  sql: 'SQL',
  http: 'HTTP',
  websocket: 'websocket',
  interleaving: 'interleaving',
};

/** The verdict, the figures, and the command that repeats the run. */
export function summary(proof: Proof): Markup {
  const { database, seed, repeat, startedAt, seconds, tables, attempts, mutants = [] } = proof;
  const count = (outcome: string) => attempts.filter((attempt) => attempt.outcome === outcome).length;
  const leaks = count('leaked');
  const survived = mutants.filter(({ outcome }) => outcome === 'survived').length;
  const kinds = new Set(attempts.map(({ path, attack }) => `${path} ${attack}`)).size;
  const paths = [...new Set(attempts.map(({ path }) => pathNames[path]))];
  const figure = (name: string, value: number, bad = false) =>
    html`<div><dt>${name}</dt><dd${bad ? html` class="bad-text"` : ''}>${number(value)}</dd></div>`;

  return html`<header>
<p class="name">Isolation of ${database}</p>
<h1>${verdict(leaks, survived, exitCodeOf(proof) === 2)}</h1>
<p class="lead">One tenant attacked another’s rows in ${plural(tables.length, 'table')}, in ${plural(kinds, 'way')}, over
${new Intl.ListFormat('en').format(paths)}. Each attempt was compared with the state before it.</p>
<dl class="figures">
${figure('tables', tables.length)}${figure('attempts', attempts.length)}${figure('held', count('held'))}
${figure('leaked', leaks, leaks > 0)}${figure('not applicable', count('not applicable'))}
${
  mutants.length > 0
    ? [
        figure('mutants killed', mutants.filter(({ outcome }) => outcome === 'killed').length),
        figure('mutants survived', survived, survived > 0),
        figure('mutants equivalent', mutants.filter(({ outcome }) => outcome === 'equivalent').length),
      ]
    : ''
}
</dl>
<dl class="repeat">
<dt>When</dt><dd><time datetime="${startedAt.toISOString()}">${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC</time>, ${seconds.toFixed(1)} s</dd>
<dt>Seed</dt><dd><code>${seed}</code></dd>
<dt>Repeat with</dt><dd><code>${repeat}</code></dd>
</dl>
</header>`;
}

function verdict(leaks: number, survived: number, isUnproven: boolean): Markup {
  const unseen = survived === 0 ? '' : `${plural(survived, 'mutant')} survived.`;
  if (leaks > 0) return html`<span class="bad-text">${plural(leaks, 'attempt')} leaked.</span> ${unseen}`;
  if (isUnproven) return html`No attempt leaked, but <span class="bad-text">the run is not a proof</span>.`;
  return unseen ? html`No leak, but <span class="bad-text">${unseen}</span>` : html`No attempt leaked.`;
}

function number(value: number): string {
  return value.toLocaleString('en');
}

export function plural(value: number, name: string): string {
  return `${number(value)} ${name}${value === 1 ? '' : 's'}`;
}
