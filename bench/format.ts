import { styleText } from 'node:util';
import type { Spread } from './statistics.ts';

export type Style = Parameters<typeof styleText>[0];

/** Color only where stdout is a terminal that wants it. */
export const styled = (style: Style, text: string) => styleText(style, text, { stream: process.stdout });

const nothing = '–';

/** A number with `digits` behind the point; a dash where nothing was measured. */
export function figure(value: number, digits: number): string {
  return Number.isNaN(value)
    ? nothing
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Median and reach: `2.08 (1.98–2.15)`. */
export function spreadText({ median, min, max }: Spread, digits = 2): string {
  return Number.isNaN(median) ? nothing : `${figure(median, digits)} (${figure(min, digits)}–${figure(max, digits)})`;
}

/** What the columns of the table hold. */
export const columns = [
  'requests/s',
  'to PostGraphile 5',
  'to Express by hand',
  'p50 ms',
  'p99 ms',
  'CPU ms: Node',
  'Postgres',
] as const;
