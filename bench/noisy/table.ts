import { figure, spreadText, styled } from '../format.ts';
import type { Results } from '../results.ts';
import { attacks } from './attacks.ts';
import type { NoisySeries } from './measureNoisy.ts';
import type { NoisyRow } from './summary.ts';

export const noisyColumns = [
  'alone: p50 ms',
  'p99 ms',
  'flooded: p50 ms',
  'p99 ms',
  'p50 ×',
  'p99 ×',
  'errors',
  'MB',
  'answers to the flood',
] as const;

/** Prints a table for each attack, followed by an example of each answer to the flood other than `ok`. */
export function printNoisy({ rows, series }: NonNullable<Results['noisy']>): void {
  for (const attack of new Set(rows.map((row) => row.attack))) {
    console.log(`\n${styled('bold', `noisy, ${attack}: a list of 20 during a flood of ${attacks[attack].title}`)}`);
    printTable(rows.filter((row) => row.attack === attack));
    for (const one of series.filter((each) => each.attack === attack)) printSamples(one);
  }
}

function printTable(rows: readonly NoisyRow[]): void {
  const lines = rows.map((row) => [row.title, ...(row.error ? [`error: ${row.error}`] : noisyCells(row))]);
  const measured = lines.filter((_, index) => !rows[index]?.error);
  const widths = ['', ...noisyColumns].map((head, index) =>
    Math.max(head.length, ...measured.map((line) => line[index]?.length ?? 0)),
  );
  const isText = (index: number) => index === 0 || index === noisyColumns.length;
  const align = (line: readonly string[]) =>
    line
      .map((cell, index) => (isText(index) ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd();
  console.log(styled('dim', align(['', ...noisyColumns])));
  for (const [index, line] of lines.entries()) {
    const text = align(line);
    console.log(rows[index]?.candidate === 'hedgerow' ? styled('green', text) : text);
  }
}

function printSamples({ title, samples }: NoisySeries): void {
  const shown: Record<string, string> = Object.assign({}, ...samples.map(({ flood }) => flood.samples));
  for (const [kind, text] of Object.entries(shown)) {
    if (text) console.log(styled('dim', `  ${title}, ${kind}: ${text.replace(/\s+/g, ' ').slice(0, 160)}`));
  }
}

/** Formats the figures of a row in the order of `noisyColumns`. */
export function noisyCells(row: NoisyRow): string[] {
  const { size } = attacks[row.attack];
  const allowed = row.size > 1 && row.size < size ? `, size ${row.size} of ${size}` : '';
  return [
    figure(row.alone.p50, 1),
    figure(row.alone.p99, 1),
    figure(row.beside.p50, 1),
    figure(row.beside.p99, 1),
    spreadText(row.p50, 1),
    spreadText(row.p99, 1),
    counts(row.errors) || '0',
    `${figure(row.peakMemory / 1e6, 0)}${row.ended ? ', ended' : ''}`,
    `${counts(row.flood) || 'none'}${allowed}`,
  ];
}

function counts(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count.toLocaleString('en')} ${kind}`)
    .join(', ');
}
