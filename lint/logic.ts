// Conditions in SQL come to true, false or unknown. What one can come to is a set of these: the sum of its members.

export const TRUE = 1;
export const FALSE = 2;
export const UNKNOWN = 4;
export const ANYTHING = TRUE | FALSE | UNKNOWN;

/** What several conditions joined by `and` can come to. */
export function and(all: readonly number[]): number {
  const some = (outcome: number) => all.some((one) => one & outcome);
  const every = (possible: number) => all.every((one) => one & possible);
  return (every(TRUE) ? TRUE : 0) | (some(FALSE) ? FALSE : 0) | (some(UNKNOWN) && every(TRUE | UNKNOWN) ? UNKNOWN : 0);
}

export function not(given: number): number {
  return (given & TRUE ? FALSE : 0) | (given & FALSE ? TRUE : 0) | (given & UNKNOWN);
}
