import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { html, jsonInScript, Markup } from '../../common/markup.ts';
import type { Proof } from '../proof.ts';
import { cellsOf } from './html/cells.ts';
import { caveats, findings } from './html/findings.ts';
import { mutants } from './html/killMatrix.ts';
import { matrix } from './html/matrix.ts';
import { summary } from './html/summary.ts';

/**
 * Renders the report as a self-contained page. It loads nothing, and its Content-Security-Policy allows only its own
 * script and style, by their hashes. All database values are escaped.
 */
export async function htmlReport(proof: Proof): Promise<string> {
  const [style, script] = await Promise.all([asset('page.css'), asset('page.js')]);
  const cells = cellsOf(proof.attempts);
  const policy = `default-src 'none'; style-src ${hash(style)}; script-src ${hash(script)}; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<title>Isolation of ${proof.database}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
${summary(proof)}
${findings(proof)}
${caveats(proof)}
${matrix(proof.tables, cells)}
${proof.mutants && mutants(proof.mutants, proof.attempts)}
<footer>Written by <code>npm run isolation</code>, ${proof.startedAt.toISOString()}.</footer>
</main>
<dialog aria-labelledby="dialog-title">
<div class="dialog-head"><div><h2 id="dialog-title"></h2><p class="quiet" id="dialog-about"></p></div>
<form method="dialog"><button class="plain">Close</button></form></div>
<div class="dialog-body"></div>
</dialog>
<script type="application/json" id="data">${jsonInScript({ cells: cells.map(({ attempts, more }) => ({ attempts, more })), mutants: proof.mutants ?? [] })}</script>
<script>${new Markup(script)}</script>
</body>
</html>
`;
  return page.text;
}

function asset(name: string): Promise<string> {
  return readFile(new URL(`html/${name}`, import.meta.url), 'utf8');
}

function hash(content: string): string {
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
}
