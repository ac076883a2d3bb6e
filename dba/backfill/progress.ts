import { duration } from '../cli/progress.ts';
import type { Plan } from './plan.ts';
import type { State } from './state.ts';

/** Words for how far a backfill is, how fast, and how long it still takes by Postgres' estimate of the rows. */
export function wordsOf({ estimate }: Plan, { seen: before }: State): (state: State) => string {
  const begun = performance.now();
  return ({ seen, changed }) => {
    const rate = (seen - before) / ((performance.now() - begun) / 1000);
    const total = estimate === null ? '' : ` of about ${count(estimate)}`;
    const words = `${count(seen)}${total} rows, ${count(changed)} changed, ${count(rate)} a second`;
    if (estimate === null || rate === 0) return words;
    return `${words}, ${duration((Math.max(0, estimate - seen) / rate) * 1000)} left`;
  };
}

/** `1,234,567`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
