import { html, type Markup } from '../../../common/markup.ts';
import type { Cell } from './cells.ts';
import { pathNames, plural } from './summary.ts';

/** With more columns than this, headings are vertical. */
const few = 6;

/** The matrix of attacks by tables. Each cell is a button that shows the outcome by color, sign and label. */
export function matrix(tables: readonly string[], cells: readonly Cell[]): Markup {
  const found = new Map(cells.map((cell, index) => [JSON.stringify([cell.path, cell.attack, cell.table]), index]));
  const columns = [...new Set([...tables, ...cells.map(({ table }) => table)])];
  const short = withoutSchema(columns);
  return html`<section aria-labelledby="matrix-title">
<h2 id="matrix-title">Attacks on tables</h2>
<p class="quiet">Select a cell to see the statements and answers. Arrow keys move between cells.</p>
<div class="filters" role="search" aria-label="Filter the matrix">
<label class="grow">Table or attack<input type="search" id="filter-text" autocomplete="off"></label>
${select('filter-table', 'Table', columns)}
${select('filter-path', 'Path', Object.keys(pathNames))}
${select('filter-outcome', 'Outcome', ['leaked', 'held', 'not applicable'])}
<span id="filter-count" role="status"></span>
</div>
<ul class="legend">
<li><span class="cell leaked" aria-hidden="true">✕</span> leaked: a row was seen or changed</li>
<li><span class="cell held" aria-hidden="true">✓</span> held</li>
<li><span class="cell none" aria-hidden="true">–</span> not applicable: this attack has nothing to attack here</li>
</ul>
<div class="sheet"><table class="matrix${columns.length > few ? '' : ' few'}" id="matrix">
<thead><tr><th scope="col">Attack</th>${columns.map((table, column) => html`<th scope="col" class="column" data-column="${column}" title="${table}"><span>${short(table)}</span></th>`)}</tr></thead>
${Object.entries(pathNames).map(([path, name]) => {
  const attacks = new Set(cells.filter((cell) => cell.path === path).map(({ attack }) => attack));
  if (attacks.size === 0) return '';
  return html`<tbody data-path="${path}"><tr class="group"><th scope="colgroup">${name}</th></tr>
${[...attacks].map(
  (attack) => html`<tr data-attack="${attack}"><th scope="row">${attack}</th>
${columns.map((table, column) => {
  const index = found.get(JSON.stringify([path, attack, table]));
  return html`<td data-column="${column}">${index === undefined ? '' : button(cells[index] as Cell, index)}</td>`;
})}</tr>`,
)}</tbody>`;
})}
</table></div>
</section>`;
}

/** Removes the schema from names if all names have the same schema. */
function withoutSchema(names: readonly string[]): (name: string) => string {
  const schemas = new Set(names.map((name) => name.slice(0, name.indexOf('.') + 1)));
  return schemas.size === 1 ? (name) => name.slice(name.indexOf('.') + 1) : (name) => name;
}

const signs = { leaked: '✕', held: '✓', 'not applicable': '–' } as const;

function button({ table, attack, outcome, leaks, held }: Cell, index: number): Markup {
  const label =
    outcome === 'leaked' ? plural(leaks, 'leak') : outcome === 'held' ? `held, ${plural(held, 'attempt')}` : outcome;
  return html`<button class="cell ${outcome === 'not applicable' ? 'none' : outcome}" data-cell="${index}" data-outcome="${outcome}" tabindex="-1" aria-label="${attack} on ${table}: ${label}">${signs[outcome]}</button>`;
}

function select(id: string, name: string, values: readonly string[]): Markup {
  return html`<label>${name}<select id="${id}"><option value="">all</option>${values.map((value) => html`<option>${value}</option>`)}</select></label>`;
}
