import { html, type Markup } from '../../common/markup.ts';
import type { Plan, PlanNode } from './plan.ts';

interface PageContent {
  readonly database: string;
  readonly user: string;
  readonly source: string;
  readonly analyze: boolean;
  readonly plans: readonly Plan[];
}

/** Renders plans as one self-contained HTML page: a tree with bars for each plan, and the text that Postgres prints. */
export function planPage({ database, user, source, analyze, plans }: PageContent): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Query plans</title>
<style>${style}</style>
</head>
<body>
<h1>Query plans</h1>
<p>${database}, as ${user}. ${analyze ? 'Bars show the time of each step, without the steps below it.' : 'The plans are estimates. Bars show the cost of each step, without the steps below it.'}</p>
<pre>${source}</pre>
${plans.map((plan, index) => section(plan, index))}
${plans.length === 0 ? html`<p>The document runs no statement.</p>` : ''}
</body>
</html>
`.text;
}

function section({ statement, values, text, tree }: Plan, index: number): Markup {
  const whole = measure(tree) || 1;
  return html`<section>
<h2>Statement ${index + 1}</h2>
<pre>${statement}</pre>
${values.length > 0 ? html`<p>Values: <code>${JSON.stringify(values)}</code></p>` : ''}
<ul class="tree">${branch(tree, whole)}</ul>
<details><summary>Output of EXPLAIN</summary><pre>${text}</pre></details>
</section>`;
}

function branch(node: PlanNode, whole: number): Markup {
  const below = node.Plans ?? [];
  const own = Math.max(0, measure(node) - below.reduce((sum, child) => sum + measure(child), 0));
  const share = Math.min(100, Math.round((100 * own) / whole));
  const title = [
    node['Subplan Name'] && `${node['Subplan Name']}:`,
    node['Node Type'],
    node['Relation Name'] && `on ${node['Relation Name']}`,
    node['Index Name'] && `by ${node['Index Name']}`,
  ];
  const details = ['Index Cond', 'Recheck Cond', 'Filter', 'Join Filter', 'Hash Cond', 'Sort Key']
    .filter((name) => node[name] !== undefined)
    .map((name) => html`<div>${name}: <code>${String(node[name])}</code></div>`);
  return html`<li>
<div class="step"><strong>${title.filter(Boolean).join(' ')}</strong> <span>${figures(node)}</span></div>
<div class="bar" role="img" aria-label="${share} % of the statement"><i style="width:${share}%"></i><b>${share} %</b></div>
${details}
${below.length > 0 ? html`<ul>${below.map((child) => branch(child, whole))}</ul>` : ''}
</li>`;
}

/** Milliseconds if the statement was run, otherwise cost. Includes the nodes below. */
function measure(node: PlanNode): number {
  const time = node['Actual Total Time'];
  return time === undefined ? node['Total Cost'] : time * (node['Actual Loops'] ?? 1);
}

function figures(node: PlanNode): string {
  const estimate = `${node['Plan Rows']} rows expected`;
  if (node['Actual Rows'] === undefined) return `${estimate}, cost ${node['Total Cost']}`;
  const loops = node['Actual Loops'] === 1 ? '' : ` × ${node['Actual Loops']}`;
  return `${node['Actual Rows']} rows${loops}, ${estimate}, ${measure(node).toFixed(3)} ms`;
}

const style = html`
:root { color-scheme: light dark; --line: light-dark(#d5d9d2, #3b423a); --soft: light-dark(#f4f6f2, #1d211c); --bar: light-dark(#7a9e6d, #5d8350); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem; overflow-x: auto; white-space: pre-wrap; }
code, pre { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.tree, .tree ul { list-style: none; padding-left: 1.25rem; border-left: 1px solid var(--line); }
.tree li { margin: .75rem 0; } .step span { opacity: .75; margin-left: .5rem; }
.bar { display: flex; align-items: center; gap: .5rem; max-width: 30rem; height: 1.25rem; }
.bar i { display: block; height: .6rem; background: var(--bar); border-radius: 3px; min-width: 1px; print-color-adjust: exact; }
.bar b { font-size: 12px; font-weight: 400; }
@media print { details { display: block; } body { margin: 0; max-width: none; } }
`;
