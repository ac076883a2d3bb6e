import { type Command, InvalidArgumentError } from 'commander';
import type { Patience } from './patient.ts';

/** A whole number from `least`, for commander. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`A whole number from ${least}.`);
    return value;
  };
}

/** Gives a verb the options of `Patience`. */
export function patient(command: Command): Command {
  const defaults: Patience = { lockTimeout: 1000, attempts: 20 };
  return command
    .option('--lock-timeout <ms>', 'how long to wait for a lock', wholeNumber(1), defaults.lockTimeout)
    .option('--attempts <n>', 'how often a transaction is tried', wholeNumber(1), defaults.attempts);
}
