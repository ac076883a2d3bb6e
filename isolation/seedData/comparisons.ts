import type { Comparison } from '../../lint/accessModel.ts';

/** A value that satisfies a comparison, as text. A boolean column needs no literal of its type: `true` is one. */
export function valueFor(comparison: Comparison): string | null {
  switch (comparison.is) {
    case 'one of':
      return comparison.values[0] ?? null;
    case 'past':
    case 'not null':
      return '2001-01-01T00:00:00Z';
    case 'null':
      return null;
    default:
      return comparison.is;
  }
}

/** Whether a value, as text, satisfies a comparison. */
export function satisfies(comparison: Comparison, value: string | null): boolean {
  switch (comparison.is) {
    case 'one of':
      return value !== null && comparison.values.includes(value);
    case 'past':
      return value !== null && Date.parse(value) <= Date.now();
    case 'not null':
      return value !== null;
    case 'null':
      return value === null;
    default:
      return value === comparison.is;
  }
}
