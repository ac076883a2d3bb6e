import { InvalidArgumentError } from 'commander';

/** A whole number from `least`, for commander. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least) throw new InvalidArgumentError(`A whole number from ${least}.`);
    return value;
  };
}
