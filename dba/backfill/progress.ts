import { duration } from '../cli/progress.ts';
import type { Plan } from './plan.ts';
import type { State } from './state.ts';

/**
 * Formats the progress of a run: rows so far, rows per second, and the time left by Postgres' estimate of the rows.
 *
 * @param before the state in which the run begins.
 */
export function progressFormatter({ estimate }: Plan, { seen: before }: State): (state: State) => string {
  const startedAt = performance.now();
  return ({ seen, changed }) => {
    const rate = (seen - before) / ((performance.now() - startedAt) / 1000);
    const total = estimate === null ? '' : ` of about ${count(estimate)}`;
    const progress = `${count(seen)}${total} rows, ${count(changed)} changed, ${count(rate)} a second`;
    if (estimate === null || rate === 0) return progress;
    return `${progress}, ${duration((Math.max(0, estimate - seen) / rate) * 1000)} left`;
  };
}

/** Formats a number for output: `1,234,567`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
