import { styleText } from 'node:util';
import type { Spread } from './statistics.ts';

export type Style = Parameters<typeof styleText>[0];

/** Styles `text` only if stdout is a terminal with colors. */
export const styled = (style: Style, text: string) => styleText(style, text, { stream: process.stdout });

const notMeasured = '–';

/** Formats a number with `digits` decimals; a dash for NaN (not measured). */
export function figure(value: number, digits: number): string {
  return Number.isNaN(value)
    ? notMeasured
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Formats the median and the range: `2.08 (1.98–2.15)`. */
export function spreadText({ median, min, max }: Spread, digits = 2): string {
  return Number.isNaN(median)
    ? notMeasured
    : `${figure(median, digits)} (${figure(min, digits)}–${figure(max, digits)})`;
}

/** Column heads of the results table. */
export const columns = [
  'requests/s',
  'to PostGraphile 5',
  'to Express by hand',
  'p50 ms',
  'p99 ms',
  'CPU ms: Node',
  'Postgres',
] as const;
