import { InvalidArgumentError } from 'commander';

/**
 * Creates an option parser for commander that accepts whole numbers.
 *
 * @param least the smallest accepted number.
 */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least)
      throw new InvalidArgumentError(`It must be a whole number, at least ${least}.`);
    return value;
  };
}
