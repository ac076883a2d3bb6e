// SQL's three-valued logic over sets of possible results. A set is a bit mask of TRUE, FALSE and UNKNOWN.

export const TRUE = 1;
export const FALSE = 2;
export const UNKNOWN = 4;
export const ANYTHING = TRUE | FALSE | UNKNOWN;

/** The possible results of conditions joined by `and`. */
export function and(all: readonly number[]): number {
  const some = (outcome: number) => all.some((one) => one & outcome);
  const every = (possible: number) => all.every((one) => one & possible);
  return (every(TRUE) ? TRUE : 0) | (some(FALSE) ? FALSE : 0) | (some(UNKNOWN) && every(TRUE | UNKNOWN) ? UNKNOWN : 0);
}

/** The possible results of a negated condition. */
export function not(given: number): number {
  return (given & TRUE ? FALSE : 0) | (given & FALSE ? TRUE : 0) | (given & UNKNOWN);
}
