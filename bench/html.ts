import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { columns, figure, spreadText } from './format.ts';
import { attacks } from './noisy/attacks.ts';
import { noisyCells, noisyColumns } from './noisy/table.ts';
import { pgbenchNames } from './pgbench.ts';
import { cells } from './report.ts';
import type { Results } from './results.ts';
import type { Row } from './statistics.ts';
import { workloads } from './workloads.ts';

const style = readFileSync(join(import.meta.dirname, 'html.css'), 'utf8');

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const left = 250;
const width = 860;
const step = 24;

/** Draws a bar for each ratio to stock PostGraphile, with a line for the range of the rounds. */
function chart(rows: readonly Row[], title: (row: Row) => string): string {
  // Leave out pgbench: it is many times faster and would shrink the other bars.
  const shown = rows.filter(
    ({ candidate, toStock }) => !(pgbenchNames as readonly string[]).includes(candidate) && toStock.median > 0,
  );
  if (shown.length === 0) return '';
  const largest = Math.max(1, ...shown.map(({ toStock }) => toStock.max));
  const x = (value: number) => left + (value / largest) * (width - left - 130);
  const height = shown.length * step + 8;
  const bars = shown.map((row, index) => {
    const { median, min, max } = row.toStock;
    const y = index * step + 4;
    return `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${escaped(title(row))}</text>
<rect class="bar ${row.candidate}" x="${left}" y="${y}" width="${(x(median) - left).toFixed(1)}" height="${step - 6}"/>
<line class="reach" x1="${x(min).toFixed(1)}" x2="${x(max).toFixed(1)}" y1="${y + 9}" y2="${y + 9}"/>
<text x="${(x(max) + 6).toFixed(1)}" y="${y + 14}">${figure(median, 2)} ×</text>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Requests per second as a ratio to PostGraphile 5">
<line class="one" x1="${x(1).toFixed(1)}" x2="${x(1).toFixed(1)}" y1="0" y2="${height}"/>
${bars.join('\n')}
</svg>`;
}

/** Renders one self-contained page with a chart and the figures of each workload. */
export function toHtml(results: Results): string {
  const titles = new Map(results.candidates.map(({ name, title }) => [name, title]));
  const title = ({ candidate }: Row) => titles.get(candidate) ?? candidate;
  const line = (row: Row) =>
    `<tr class="${row.candidate}"><td>${escaped(title(row))}</td>${
      row.error
        ? `<td colspan="${columns.length}">error: ${escaped(row.error)}</td>`
        : cells(row)
            .map((cell) => `<td>${cell}</td>`)
            .join('')
    }</tr>`;
  const sections = [...new Set(results.rows.map(({ workload }) => workload))].map((workload) => {
    const rows = results.rows.filter((row) => row.workload === workload);
    return `<section><h2>${escaped(workloads[workload].title)}</h2>
${chart(rows, title)}
<div class="wide"><table><tr><th></th>${columns.map((head) => `<th>${head}</th>`).join('')}</tr>
${rows.map(line).join('\n')}</table></div></section>`;
  });
  const noisy = [...new Set(results.noisy?.rows.map(({ attack }) => attack))].map((attack) => {
    const rows = results.noisy?.rows.filter((row) => row.attack === attack) ?? [];
    const cellsOf = (row: (typeof rows)[number]) => (row.error ? [row.error] : noisyCells(row));
    return `<section><h2>A list during a flood: ${escaped(attacks[attack].title)}</h2>
<div class="wide"><table><tr><th></th>${noisyColumns.map((head) => `<th>${head}</th>`).join('')}</tr>
${rows.map((row) => `<tr class="${row.candidate}">${[row.title, ...cellsOf(row)].map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`).join('\n')}</table></div></section>`;
  });
  const thresholds = results.marks?.map(
    ({ what, goal, found, reached }) =>
      `<tr><td>${escaped(what)}</td><td>${escaped(goal)}</td><td>${spreadText(found)}</td><td>${
        reached === undefined ? 'not measured' : reached ? 'reached' : 'missed'
      }</td></tr>`,
  );
  const { when, machine, node, postgres, options } = results;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Hedgerow benchmark</title><style>${style}</style>
<h1>Hedgerow and other servers</h1>
<p>${escaped(when)}, ${escaped(machine)}; Node ${node}, Postgres ${escaped(postgres)}; ${options.rows.toLocaleString('en')} todos,
${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s. Bars: requests per second as a ratio to
PostGraphile 5 set up as its documentation shows (the dashed line), median of the rounds. The line in a bar is the range
of the rounds.</p>
${sections.join('\n')}
${noisy.join('\n')}
${thresholds ? `<section><h2>Thresholds</h2><div class="wide"><table>${thresholds.join('\n')}</table></div></section>` : ''}
</html>
`;
}
